"""Values of a work that change without telling: compared by their encoding, up to 64 KiB, and said.  Knows nothing of when."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..base.encoding import encode
from ..base.messages import SET
from ..base.values import TrackedList, untold
from ..model.work import LightningWork
from .voice import Voice


class Unspoken:
    """What was last known of each such value."""

    def __init__(self, work: LightningWork, voice: Voice) -> None:
        self._work, self._voice = work, voice
        self._known: dict[str, bytes] = {}

    def begin(self) -> None:
        """From the values as they are."""
        self._known = {}
        self.remember(self._work._lit_opaque)

    def remember(self, names: Iterable[str]) -> None:
        """What is there now is known."""
        for name in names:
            self._known[name] = encode(self._work.__dict__.get(name))

    def sweep(self, names: Iterable[str] | None = None) -> None:
        """Say what changed inside values that do not tell (all of them, or these), up to 64 KiB each, and in lists past their methods."""
        work = self._work
        wanted = work._lit_opaque | work._lit_lists if names is None else set(names)
        for name in wanted & work._lit_lists:
            value = work.__dict__.get(name)
            if type(value) is TrackedList and untold(value):
                work._lit_watch(name, value)
                self._voice.moved(work, (name,), SET, value)
        for name in wanted & work._lit_opaque:
            value = work.__dict__.get(name)
            data = encode(value)
            if data != self._known.get(name) and len(data) <= 65536:
                self._known[name] = data
                self._voice.moved(work, (name,), SET, value)

    def sweep_quietly(self, names: Iterable[str] | None = None) -> None:
        """Where an error has nowhere to go but the terminal."""
        try:
            self.sweep(names)
        except Exception as error:
            sys.stderr.write(f"{self._work.name}: {error}\n")
