"""Waits on file descriptors for one owner, and goes on reading while the owner is busy.  Knows nothing of messages.

The owner polls itself whenever it waits, so that in the common case no thread is woken on the way of a message.  Is it busy for
longer than a moment, a helper thread polls in its place, until the owner wants to again: callbacks run on either of the two, never on
both at once.  When everything is quiet, both sleep: there is no periodic wake-up.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

MOMENT = 0.002  # seconds an owner may be busy before the helper polls in its place
QUIET = 10  # moments without a turn after which the helper sleeps until there is one: being woken costs the owner
LOOK = 0.05  # seconds between looks at an owner that is busy for long

Callback = Callable[[], None]


class Pump:
    """Polls; `take` returns what callbacks `put`.

    Args:
        on_busy: called by the helper now and then with the seconds the owner has been busy.
        plenty: whether so much waits for the owner that reading should pause.
    """

    def __init__(
        self, on_busy: Callable[[float], None] | None = None, plenty: Callable[[], bool] | None = None
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._items: deque[Any] = deque()
        self._polling = threading.Lock()
        self._on_busy, self._plenty = on_busy, plenty
        self._wants = False  # the owner wants to poll
        self._waits = True  # the owner is inside `take`
        self._serial, self._since = 0, 0.0
        self._alarms: dict[str, tuple[float, Callback]] = {}
        self._asleep_until: float | None = 0.0  # when whoever polls wakes by itself; 0.0: nobody polls
        self._armed = threading.Event()
        self._closed = False
        self._helper: threading.Thread | None = None
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._selector.register(self._wake_out, selectors.EVENT_READ, self._drain)

    # -- what is waited for ------------------------------------------------------------------------------

    def watch(self, descriptor: int, callback: Callback) -> None:
        """Call `callback` whenever `descriptor` can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, callback)
        self.wake()

    def want_to_write(self, descriptor: int, reader: Callback, writer: Callback | None) -> None:
        """Also call `writer` whenever it can be written to; None: no longer."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writer else 0)
        try:
            self._selector.modify(descriptor, events, (reader, writer) if writer else reader)
        except (KeyError, ValueError):
            return
        self.wake()

    def forget(self, descriptor: int) -> None:
        """Wait for it no longer; call before closing it."""
        try:
            self._selector.unregister(descriptor)
        except (KeyError, ValueError):
            """It was forgotten before."""

    def alarm(self, name: str, seconds: float | None, callback: Callback) -> None:
        """Call `callback` once in so many seconds, unless set anew under the same name; None: not at all."""
        if seconds is None:
            self._alarms.pop(name, None)
            return
        due = time.monotonic() + seconds
        self._alarms[name] = (due, callback)
        asleep = self._asleep_until
        if asleep is None or asleep > due:
            self.wake()

    def put(self, item: Any) -> None:
        """From any thread: something for the owner."""
        self._items.append(item)
        if self._asleep_until != 0.0:
            self.wake()

    def wake(self) -> None:
        """Have whoever polls look again."""
        try:
            os.write(self._wake_in, b".")
        except (BlockingIOError, OSError):
            """It is full, so somebody will wake; or closed, so nobody sleeps."""

    def _drain(self) -> None:
        try:
            os.read(self._wake_out, 4096)
        except BlockingIOError:
            """Somebody else was quicker."""

    # -- the owner ---------------------------------------------------------------------------------------

    def take(self, timeout: float | None) -> list[Any]:
        """What callbacks have put, waiting up to `timeout` seconds (None: for ever) for the first of it."""
        self._waits = True
        try:
            if not self._items or timeout == 0:
                self._poll_as_owner(timeout)
            items = []
            while self._items:
                items.append(self._items.popleft())
            return items
        finally:
            self._serial += 1
            self._since = time.monotonic()
            self._waits = False
            if not self._armed.is_set():
                self._arm()

    def rest(self, seconds: float) -> None:
        """Do nothing for so long, while what arrives is read as far as there is room for it."""
        self._armed.set()
        time.sleep(seconds)

    def _poll_as_owner(self, timeout: float | None) -> None:
        self._wants = True
        if not self._polling.acquire(blocking=False):
            self.wake()
            self._polling.acquire()
        self._wants = False
        try:
            deadline = None if timeout is None else time.monotonic() + timeout
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                self._poll(left)
                if self._items or (deadline is not None and time.monotonic() >= deadline):
                    return
        finally:
            self._asleep_until = 0.0
            self._polling.release()

    def _poll(self, timeout: float | None) -> None:
        """One wait, and the callbacks of what is ready."""
        self._asleep_until = None  # from here on an alarm that is set wakes us: we may not have seen it
        until = None if timeout is None else time.monotonic() + timeout
        for due, _ in list(self._alarms.values()):
            until = due if until is None else min(until, due)
        self._asleep_until = until
        if self._items:
            until = 0.0
        ready = self._selector.select(None if until is None else max(0.0, until - time.monotonic()))
        self._asleep_until = 0.0
        for key, mask in ready:
            data = key.data
            if isinstance(data, tuple):
                if mask & selectors.EVENT_WRITE:
                    data[1]()
                if mask & selectors.EVENT_READ:
                    data[0]()
            else:
                data()
        if self._alarms:
            self._ring()

    def _ring(self) -> None:
        now = time.monotonic()
        for name, (due, callback) in list(self._alarms.items()):
            if due <= now and self._alarms.get(name, (0.0, None))[0] == due:
                del self._alarms[name]
                callback()

    # -- the helper --------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._helper is None:
            self._helper = threading.Thread(target=self._help, name="lightning-pump", daemon=True)
            self._helper.start()
        self._armed.set()

    def _help(self) -> None:
        quiet = 0
        while not self._closed:
            self._armed.wait()
            serial = self._serial
            time.sleep(MOMENT)
            if serial != self._serial:
                quiet = 0
            elif not self._waits:
                self._poll_as_helper()
            elif (quiet := quiet + 1) >= QUIET:
                quiet = 0
                self._armed.clear()
                if not self._waits:
                    self._armed.set()

    def _poll_as_helper(self) -> None:
        """Until the owner wants to poll itself."""
        with self._polling:
            while not (self._wants or self._waits or self._closed):
                if self._plenty is not None and self._plenty():
                    time.sleep(MOMENT)
                else:
                    self._poll(None if self._on_busy is None else LOOK)
                if self._on_busy is not None and not self._wants:
                    self._on_busy(time.monotonic() - self._since)

    def close(self) -> None:
        """Stop for good."""
        self._closed = True
        self._waits = False
        self._armed.set()
        self.wake()
        if self._helper is not None and self._helper is not threading.current_thread():
            self._helper.join(5)
        with self._polling:
            self._selector.close()
        os.close(self._wake_in)
        os.close(self._wake_out)
