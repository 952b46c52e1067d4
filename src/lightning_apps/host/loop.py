"""A loop over file descriptors, signals and timers, for a process of one thread.  Knows nothing of what they mean."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

Callback = Callable[[], object]


def wake_only(number: int, frame: FrameType | None) -> None:
    """The handler of every signal of the loop: the number arrives through the wake-up descriptor."""


class Loop:
    """Waits for everything at once, and for nothing while nothing happens."""

    def __init__(self) -> None:
        self._readers: dict[int, Callback] = {}
        self._timers: list[tuple[float, int, Callback]] = []
        self._order = itertools.count()
        self._former: dict[int, Any] = {}
        self._wake, self._woken = os.pipe()
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        self._former_wakeup = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        self.arrived: list[int] = []  # signals not looked at yet

    def listen(self, numbers: Iterable[int]) -> None:
        """Collect these signals in `arrived` from now on."""
        for number in numbers:
            self._former[number] = signal.signal(number, wake_only)

    def read(self, descriptor: int, callback: Callback) -> None:
        """Call back whenever there is something to read."""
        self._readers[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        """No longer."""
        self._readers.pop(descriptor, None)

    def after(self, seconds: float, callback: Callback) -> None:
        """Call back once, after this time."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), callback))

    def step(self, writers: Iterable[int] = (), longest: float | None = None) -> None:
        """Wait until something happens, at most `longest` seconds, and handle all of it."""
        poll = select.poll()
        for descriptor in (self._wake, *self._readers):
            poll.register(descriptor, select.POLLIN)
        for descriptor in writers:
            poll.register(descriptor, select.POLLOUT)
        ready = [descriptor for descriptor, _ in poll.poll(self._patience(longest))]
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                self.arrived += os.read(self._wake, 4096)
        for descriptor in ready:
            if callback := self._readers.get(descriptor):
                callback()
        self._ring()

    def _patience(self, longest: float | None) -> int | None:
        waits = [] if longest is None else [longest]
        if self._timers:
            waits.append(self._timers[0][0] - time.monotonic())
        return max(0, int(min(waits) * 1000) + 1) if waits else None

    def _ring(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Put signal handlers back and let go of the descriptors."""
        signal.set_wakeup_fd(self._former_wakeup)
        for number, handler in self._former.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        os.close(self._wake)
        os.close(self._woken)

    def leave_child(self) -> None:
        """In a forked child: the parent's loop is none of its business."""
        signal.set_wakeup_fd(-1)
        for number in self._former:
            signal.signal(number, signal.SIG_DFL)
        os.close(self._wake)
        os.close(self._woken)
