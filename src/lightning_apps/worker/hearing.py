"""What the flow changes, on its way into the work: at a moment when the work looks, and under what it has changed itself meanwhile."""

from __future__ import annotations

import time
from typing import Any

from ..base import messages as m
from ..base.encoding import encode_change
from ..base.messages import DELETE, SET, SPLICE, Change
from ..base.values import TrackedDict, TrackedList
from ..model.work import LightningWork
from ..wire import codec
from .gate import gated
from .halt import Halt
from .moments import nobody_mutates
from .unspoken import Unspoken
from .voice import Voice

REPORT = 64  # messages of the host after which it is told that they have come
BACKLOG = 4096  # messages of the flow that wait at most for the work to read an attribute


class Hearing:
    """What has come and is not taken in yet.

    Attributes:
        received: the version of what came last.
    """

    def __init__(self, work: LightningWork, voice: Voice, unspoken: Unspoken, halt: Halt) -> None:
        self._work, self._voice, self._unspoken, self._halt = work, voice, unspoken, halt
        self.received = 0
        self._unreported = self._acknowledged = 0
        self._taking_in = False
        self._incoming: list[m.Changes] = []
        self._plain_class = type(work)
        self._gated_class = gated(type(work))

    def welcome(self, message: m.Welcome) -> None:
        """With the lock held: the state to begin with."""
        for name in [name for name in self._work._lit_state if name not in message.state]:
            self._work._lit_apply(Change((name,), DELETE))
        for name, value in message.state.items():
            self._work._lit_apply(Change((name,), SET, value))
        self._voice.seen = self.received = message.version

    def acknowledged(self, offset: int) -> None:
        """What waits to be taken in was said before this: it may need what is acknowledged now to be replayed over it."""
        with self._voice.lock:
            self._acknowledged = offset
            if not self._incoming:
                self._voice.outbox.acknowledged(offset)

    def _note_received(self, version: int) -> None:
        self.received = max(self.received, version)
        self._unreported += 1
        if self._unreported >= REPORT:
            self._unreported = 0
            self._voice.say_aside(m.Received(self.received))

    def changes(self, message: m.Changes) -> None:
        """Kept until somebody looks."""
        if message.version <= self.received:
            return
        self._note_received(message.version)
        with self._voice.lock:
            self._incoming.append(message)
            self.close_gate()
        if len(self._incoming) > BACKLOG:
            self.settle_in()

    def close_gate(self) -> None:
        """Before the next attribute is read, `settle_in`."""
        if type(self._work) is self._plain_class:
            object.__setattr__(self._work, "__class__", self._gated_class)

    def settle_in(self) -> None:
        """Take in what the flow has written; called when an attribute is about to be read."""
        self._halt.check_here()
        while True:
            with self._voice.lock:
                if not self._incoming or nobody_mutates():
                    object.__setattr__(self._work, "__class__", self._plain_class)
                    self._take_in()
                    return
            time.sleep(0.0001)

    def _take_in(self) -> None:
        """With the lock held: everything the flow has written.  What was held back of a burst was changed before it."""
        if self._taking_in:
            return  # the gate: we read attributes too
        incoming, self._incoming, self._taking_in = self._incoming, [], True
        silent = {change.path[0] for message in incoming for change in message.changes}
        silent &= self._work._lit_opaque | self._work._lit_lists
        self._unspoken.sweep_quietly(silent)
        if incoming:
            self._voice.flush()
        for message in incoming:
            self._apply(message)
        self._unspoken.remember(silent & self._work._lit_opaque)
        self._taking_in = False
        self._voice.outbox.acknowledged(self._acknowledged)

    def _apply(self, message: m.Changes) -> None:
        """The flow's changes, and over them what the host had not heard of us when it made them."""
        mine = self._unheard(message.heard)
        won = {change.path for change in mine if change.op in (SET, DELETE)}  # other threads see no older value there
        touched = set()
        for change in message.changes:
            if not won or won.isdisjoint(change.path[:depth] for depth in range(1, len(change.path) + 1)):
                touched.add(change.path[0])
                self._work._lit_apply(change, gentle=True)
        self._voice.seen = message.version
        if mine:
            self._replay([change for change in mine if change.path[0] in touched])

    def _unheard(self, heard: int) -> list[Change]:
        payloads = self._voice.outbox.after(heard)
        found: list[Change] = []
        for payload in payloads:
            message = codec.load_from_worker(payload)
            if isinstance(message, m.Changed):
                found += message.changes
        return found + self._voice.held_back()

    def _replay(self, mine: list[Change]) -> None:
        """Our later arrivals again.  What happened inside a list is in it already, unless the list itself is set anew here."""
        anew: list[tuple[Any, ...]] = []
        for change in mine:
            inside_list = change.op == SPLICE or self._through_list(change.path)
            if inside_list and not any(change.path[: len(path)] == path for path in anew):
                continue
            self._work._lit_apply(change, gentle=True)
            if change.op in (SET, DELETE):
                anew.append(change.path)

    def _through_list(self, path: tuple[Any, ...]) -> bool:
        holder: Any = self._work.__dict__.get(path[0])
        for key in path[1:]:
            if isinstance(holder, TrackedList):
                return True
            holder = dict.get(holder, key) if isinstance(holder, TrackedDict) else None
        return False

    def answer_whole(self, message: m.Whole) -> None:
        """Say a value anew, at a moment when no thread is in the middle of changing it."""
        if message.version <= self.received:
            return
        self._note_received(message.version)
        while True:
            with self._voice.lock:
                if nobody_mutates() and self._say_whole(message):
                    return
            time.sleep(0.0002)

    def _say_whole(self, message: m.Whole) -> bool:
        self._take_in()
        value, found = self._work.__dict__, True
        for key in message.path:
            value, found = _step(value, key)
            if not found:
                break
        data = encode_change(message.path, SET if found else DELETE, value if found else None)
        if not nobody_mutates():
            return False
        self._voice.flush()
        self._voice.seen = message.version
        self._voice.say_value(data)
        return True


def _step(value: Any, key: Any) -> tuple[Any, bool]:
    try:
        return (dict.__getitem__(value, key) if isinstance(value, dict) else list.__getitem__(value, key)), True
    except (KeyError, IndexError, TypeError):
        return None, False
