"""What a work changes, and what becomes of its calls, on its way to the host: in order, bursts together.  Hears nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..base.encoding import encode_change
from ..base.messages import DELETE, SET, Change
from ..model.component import Component
from ..model.work import LightningWork
from ..wire import codec
from .moments import nobody_mutates
from .outbox import Outbox

RATE = 4000.0  # sends a second that changes are worth at most; what is more is sent together
CREDIT = 8.0  # changes that are sent at once, each by the thread that made it, before that counts
TAIL = 0.001  # seconds after which what was held back of a burst is sent by a timer
BURST = 1024  # changes held back at most
OFFLINE = 1 << 20  # bytes kept without a host before they are summarised

Alarm = Callable[[str, "float | None", Callable[[], None]], None]


class Voice:
    """Numbers and sends; keeps what was said until the host has recorded it.

    Attributes:
        lock: held while something is said, or taken in.
        online: a host has welcomed us and its link stands.
        seen: the version of what the host said that is taken in.
    """

    def __init__(
        self, work: LightningWork, send: Callable[[bytes], None], alarm: Alarm, clock: Callable[[], float]
    ) -> None:
        self._work, self._send, self._alarm, self._clock = work, send, alarm, clock
        self.lock = threading.RLock()
        self.outbox = Outbox()
        self.online = False
        self.seen = 0
        self._parts: list[bytes] = []
        self._last, self._credit = 0.0, CREDIT
        self._tail = False

    def moved(self, component: Component, path: tuple[Any, ...], op: int, value: Any, old: Any = None) -> None:
        """A path of the work's state took a value: sent at once if it is calm, with the rest of the burst if not."""
        data = encode_change(path, op, value)
        with self.lock:
            self._parts.append(data)
            now = self._clock()
            credit = self._credit + (now - self._last) * RATE
            self._last = now
            if credit >= 1.0 or len(self._parts) >= BURST:
                self._credit = min(credit, CREDIT) - 1.0
                self.flush()
                return
            self._credit = credit
            if not self._tail:
                self._tail = True
                self._alarm("tail", TAIL, self._flush_tail)

    def _flush_tail(self) -> None:
        with self.lock:
            self._tail = False
            self.flush()

    def flush(self) -> None:
        """With the lock held: everything that was changed, as one message."""
        if not self._parts:
            return
        parts, self._parts = self._parts, []
        self._out(self.outbox.add(codec.changed_payload(self.seen, parts)))

    def _out(self, data: bytes) -> None:
        """With the lock held: to the host if there is one; it is kept in any case."""
        if self.online:
            self._send(data)
        elif len(data) > OFFLINE or self.outbox.size > OFFLINE:
            self._summarise()

    def _summarise(self) -> None:
        """Without a host: what was changed since the last stage of a call becomes one value per attribute."""
        tail = self.outbox.tail(codec.is_changed)
        if len(tail) > 1 and nobody_mutates():
            names = {change.path[0] for payload in tail for change in codec.load_from_worker(payload).changes}
            values = self._work.__dict__
            data = [encode_change((n,), SET if n in values else DELETE, values.get(n)) for n in sorted(names)]
            self.outbox.replace_tail(len(tail), codec.changed_payload(self.seen, data))

    def say(self, message: Any) -> None:
        """After everything that was changed before it."""
        payload = codec.dump(message)
        with self.lock:
            self.flush()
            self._out(self.outbox.add(payload))

    def say_value(self, data: bytes) -> None:
        """With the lock held: this change, as a message of its own."""
        self._parts.append(data)
        self.flush()

    def say_aside(self, message: Any) -> None:
        """To the host if there is one; neither numbered nor kept."""
        with self.lock:
            if self.online:
                self._send(codec.frame(codec.dump(message)))

    def say_all_again(self, heard: int) -> None:
        """With the lock held: to a later host, what it has not heard."""
        self.outbox.acknowledged(heard)
        for data in self.outbox.frames:
            self._send(data)

    def held_back(self) -> list[Change]:
        """Changes that are not in the outbox yet."""
        return [codec.load_change(part) for part in self._parts]
