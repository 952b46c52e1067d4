"""What another terminal does with a run's processes: start them away from itself, end them, read along.  Knows nothing of the app."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

import msgspec

from ..base.errors import RunError
from ..base.settings import Settings
from ..engines import process_tree
from ..engines.process_tree import Process
from . import control
from .run_folder import RunFolder, of_settings

OUTPUT = "app.out"
PAUSE = 0.02  # seconds between looks
CHUNK = 1 << 16


# away from here --------------------------------------------------------------------------------------------------


def detach(file: str, settings: Settings) -> tuple[int, RunFolder, Settings]:
    """Fork a process for an app, in a session of its own, that writes to its run's folder: its number, 0 in that process itself,
    the run, and the settings it is to be run with.

    Raises:
        RunError: the run that is to be taken up cannot be.
    """
    folder = of_settings(settings, file, sys.argv)
    folder.lock()  # whoever has it would answer in the place of a host that is refused
    folder.unlock()
    settings = msgspec.structs.replace(settings, resume=folder.id)
    output = os.open(os.path.join(folder.path, OUTPUT), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.close(nothing)
    os.close(output)
    return pid, folder, settings


def until_up(pid: int, folder: RunFolder) -> int | None:
    """Wait for a detached run: None as soon as its host is up, its exit code if it has ended before."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if control.answers(folder):
            return None
        time.sleep(PAUSE)


# the end ---------------------------------------------------------------------------------------------------------


def stop(folder: RunFolder) -> None:
    """End a run as SIGTERM does, and return when its processes are gone.

    Raises:
        RunError: it is over, or goes on elsewhere.
    """
    entry = folder.entry()
    if entry is None or not folder.host_lives():
        raise RunError(f"The run {folder.id} is not going on, so there is nothing to stop.")
    host = process_tree.look(entry.pid)
    if host is None or host.started != entry.started:
        raise RunError(f"The run {folder.id} goes on on the machine {entry.machine}: stop it there.")
    keeper = process_tree.look(entry.keeper) if entry.keeper else None
    there = [host, *([keeper] if keeper is not None else [])]
    target = keeper if keeper is not None and keeper.pid in _ancestors(host) else host
    if not process_tree.send_signal(target.pid, signal.SIGTERM):
        raise RunError(f"The run {folder.id} belongs to another user, or has just ended.")
    while any(map(process_tree.is_alive, there)):
        time.sleep(PAUSE)


def _ancestors(process: Process) -> tuple[int, int]:
    """Parent and grandparent: the keeper is one of them, unless the host made it."""
    parent = process_tree.look(process.parent)
    return process.parent, parent.parent if parent is not None else 0


# reading along ---------------------------------------------------------------------------------------------------


class Reader:
    """Reads one file of output as it grows, in whole lines."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._offset, self._rest = -1, b""

    def lines(self, last: bool = False) -> Iterator[bytes]:
        """What has come since; at the `last` time also a line without an end."""
        with contextlib.suppress(OSError), open(self.path, "rb") as file:
            file.seek(self._offset if self._offset >= 0 else _first_byte(file.fileno()))
            while data := file.read(CHUNK):
                *whole, self._rest = (self._rest + data).split(b"\n")
                yield from whole
            self._offset = file.tell()
        if last and self._rest:
            rest, self._rest = self._rest, b""
            yield rest


def _first_byte(descriptor: int) -> int:
    """Where the file begins: the beginning of long output is given back to the disk."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except (AttributeError, OSError):
        return 0


def readers(folder: RunFolder, work: str = "") -> dict[tuple[str, str], Reader]:
    """By work and stream ("out", "err"), the files to read: of one work, else of the terminal a detached run would have had, else all."""
    output = os.path.join(folder.path, OUTPUT)
    if not work and os.path.exists(output):
        return {("", "out"): Reader(output)}
    found = {}
    for name in sorted(os.listdir(folder.logs)) if os.path.isdir(folder.logs) else []:
        owner, _, stream = name.rpartition(".")
        if stream in ("out", "err") and (owner == work or not work):
            found[owner, stream] = Reader(os.path.join(folder.logs, name))
    return found


def read_along(folder: RunFolder, work: str, follow: bool) -> Iterator[tuple[str, str, bytes]]:
    """Work, stream and line of all output; with `follow` also what is still to come, until the run is over."""
    known: dict[tuple[str, str], Reader] = {}
    over = False
    while not over:
        over = not follow or not folder.host_lives()
        known = {**readers(folder, work), **known}
        quiet = True
        for (owner, stream), reader in known.items():
            for line in reader.lines(last=over):
                quiet = False
                yield owner, stream, line
        if quiet and not over:
            time.sleep(PAUSE)
