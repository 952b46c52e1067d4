"""What the framework says on its own account: short lines on stderr, never on stdout."""

from __future__ import annotations

import sys
import time
from typing import TextIO

import msgspec

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
COLOURS = {"debug": "2", "info": "36", "warning": "33", "error": "31"}


class Log:
    """Writes `LEVEL: message` lines (or JSON lines) to a stream, looked up at each line so that it can be redirected."""

    def __init__(
        self, level: str = "info", format: str = "text", colour: bool = False, stream: TextIO | None = None
    ) -> None:
        self.level, self.format, self.colour, self._stream = level, format, colour, stream
        self._said: set[str] = set()

    def debug(self, message: str) -> None:
        self.say("debug", message)

    def info(self, message: str) -> None:
        self.say("info", message)

    def warning(self, message: str) -> None:
        self.say("warning", message)

    def error(self, message: str) -> None:
        self.say("error", message)

    def once(self, level: str, message: str) -> None:
        """Say this only the first time."""
        if message not in self._said:
            self._said.add(message)
            self.say(level, message)

    def say(self, level: str, message: str) -> None:
        """Write one message of `level` ("debug", "info", "warning" or "error")."""
        if LEVELS[level] < LEVELS[self.level]:
            return
        stream = self._stream or sys.stderr
        if stream is None:
            return
        try:
            stream.write(self._line(level, message))
            stream.flush()
        except (OSError, ValueError):
            """A terminal that went away is no reason to end an app."""

    def _line(self, level: str, message: str) -> str:
        if self.format == "json":
            return msgspec.json.encode({"time": time.time(), "level": level, "message": message}).decode() + "\n"
        label = level.upper()
        return f"\x1b[{COLOURS[level]}m{label}:\x1b[0m {message}\n" if self.colour else f"{label}: {message}\n"
