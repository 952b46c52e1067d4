"""Whether the host of a run lives that said so on another machine: its lock, and a file that it touches.  Knows nothing of what it does.

The file's age is the difference of two times that the same file server gave, the last touch and one of now: clocks of machines need not
agree.  Where the locks of the file system reach other machines, a lock that is held says more than any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import sys
import tempfile
from collections.abc import Callable

BEAT = 10.0  # seconds between touches
SILENT = 45.0  # seconds without one after which a host elsewhere is not taken for living any more
NAME = "host.json"
FLOCK = "hhqqi"  # struct flock of 64-bit Linux: type, whence, start, length, process
EVER = float("inf")


class Heartbeat:
    """The host's side: touches the file until it is another host's.

    Args:
        folder: of the run.
        alarm: calls back after some seconds; `Pump.alarm`.
    """

    def __init__(self, folder: str, alarm: Callable[[str, float | None, Callable[[], None]], None]) -> None:
        self._path, self._alarm = os.path.join(folder, NAME), alarm
        self._mine = _content(self._path)

    def begin(self) -> None:
        """Touch it, now and from now on; a run that another host has taken meanwhile is left to it at once."""
        with contextlib.suppress(OSError):
            found = _content(self._path)
            if found and self._mine and found != self._mine:
                os.kill(os.getpid(), signal.SIGKILL)  # as if this machine had died: its works belong to the other one
            os.utime(self._path)
        self._alarm("heartbeat", BEAT, self.begin)

    def end(self) -> None:
        """It has ended, and is not to be waited for."""
        self._alarm("heartbeat", None, self.begin)
        with contextlib.suppress(OSError):
            if _content(self._path) == self._mine:
                os.utime(self._path, (0, 0))


def _content(path: str) -> bytes:
    """Which process of which machine it names."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def age(folder: str) -> float:
    """Seconds since the last touch, by the clock of the disk that the folder is on; endless where it has said that it ended."""
    try:
        with open(os.path.join(folder, NAME), "rb") as file:  # opened, so that a network file system asks its server
            touched = os.fstat(file.fileno()).st_mtime
        with tempfile.TemporaryFile(dir=folder) as probe:
            os.utime(probe.fileno())
            return EVER if not touched else max(0.0, os.fstat(probe.fileno()).st_mtime - touched)
    except OSError:
        return EVER


def is_locked(path: str) -> bool:
    """Whether another process holds this POSIX record lock, on whatever machine; False also where that cannot be asked."""
    if not sys.platform.startswith("linux") or struct.calcsize("P") != 8:
        return False
    try:
        with open(path, "rb") as file:
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            return bool(struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK)
    except OSError:
        return False
