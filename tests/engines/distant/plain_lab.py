"""Where namespaces may not be made: machines that are no more than groups of processes on loopback.  They cannot be cut off."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from conftest import eventually
from lab import Lab, Machine


class PlainMachine(Machine):
    """Its processes carry its name in their environment."""

    def __init__(self, lab: Lab, number: int) -> None:
        super().__init__(lab, number)
        self.ip = "127.0.0.1"

    def boot(self) -> None:
        """There is nothing to do."""

    heal = boot

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, **options)

    def entering(self, folder: Path | None = None) -> list[str]:
        return ["env", f"--chdir={folder or Path.cwd()}"]

    def _living(self, words: str = "") -> list[int]:
        found, mark = [], f"MACHINE={self.name}\0".encode()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ")
                if line and words.encode() in line and mark in Path(f"/proc/{entry}/environ").read_bytes():
                    found.append(int(entry))
            except OSError:
                continue  # it ended while we looked, or is somebody else's
        return found

    def kill(self, words: str) -> None:
        """Some may have ended with what was killed before them."""
        self._end(words)

    def _end(self, words: str = "") -> bool:
        """Whether there was anything to kill."""
        left = self._living(words)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(left)

    def cut(self) -> None:
        pytest.skip("a machine can be cut off only where there are namespaces")

    def off(self) -> None:
        eventually(lambda: not self._end(), 20.0)


class PlainLab(Lab):
    """Such machines, for a `with`."""

    def __init__(self, count: int) -> None:
        super().__init__(0)
        self.tag = uuid.uuid4().hex[:4]
        self.machines = [PlainMachine(self, number) for number in range(count)]

    def __enter__(self) -> PlainLab:
        return self

    def __exit__(self, *error: object) -> None:
        for machine in self.machines:
            machine.off()
