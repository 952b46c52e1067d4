"""What a person at the terminal would have read: everything that is printed is kept, and goes where it went before too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..base import messages as m
from ..base.log import Log


class Tee:
    """A stream that keeps what is written, in front of another."""

    def __init__(self, behind: Any, parts: list[str], echo: bool) -> None:
        self._behind, self._parts, self._echo = behind, parts, echo

    def write(self, text: str) -> int:
        self._parts.append(text)
        if self._echo:
            self._behind.write(text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)


class Terminal:
    """Standard output and standard error of an app, in the order in which they were written.

    Args:
        echo: it goes where it went before, too.
    """

    def __init__(self, echo: bool = True, level: str = "info") -> None:
        self._parts: list[str] = []
        self._echo = echo
        self._log = Log(level)
        self._depth = 0

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """What is printed meanwhile is kept."""
        if self._depth:
            yield
            return
        out, err, self._depth = sys.stdout, sys.stderr, 1
        sys.stdout, sys.stderr = (Tee(each, self._parts, self._echo) for each in (out, err))
        try:
            yield
        finally:
            sys.stdout, sys.stderr, self._depth = out, err, 0

    def say(self, effect: m.Say) -> None:
        """What the framework says, as the host words it."""
        if effect.once:
            self._log.once(effect.level, effect.message)
        elif effect.level == "error":
            self.plainly(effect.message)
        else:
            self._log.say(effect.level, effect.message)

    def plainly(self, message: str) -> None:
        """Text of the user's own, or about it."""
        sys.stderr.write(f"{message}\n")
