"""Values of a work that change without telling: compared by their encoding, up to 64 KiB, and said.  Knows nothing of when."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..base.encoding import encode
from ..base.messages import SET
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
        """Say what changed inside values that do not tell (all of them, or these), up to 64 KiB each."""
        for name in list(self._work._lit_opaque if names is None else names):
            value = self._work.__dict__.get(name)
            data = encode(value)
            if data != self._known.get(name) and len(data) <= 65536:
                self._known[name] = data
                self._voice.moved(self._work, (name,), SET, value)

    def sweep_quietly(self, names: Iterable[str] | None = None) -> None:
        """Where an error has nowhere to go but the terminal."""
        try:
            self.sweep(names)
        except Exception as error:
            sys.stderr.write(f"{self._work.name}: {error}\n")
