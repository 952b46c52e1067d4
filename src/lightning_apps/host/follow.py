"""Follows the output files of workers and writes whole lines to the terminal.  Knows nothing of processes.

A worker writes to a file, so that neither a dead host nor a stopped terminal blocks it; here the file is read as it
grows.  Nothing waits: what the terminal does not take now stays in the file until it does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import stat
import struct
import sys
import time
import zlib

import msgspec

from ..base.settings import Settings, colour_wanted

CHUNK = 1 << 16
PIECE = 4096  # a pipe that says it can be written takes this much at once, whole
BACKLOG = 1 << 20  # bytes kept in memory per stream; the rest waits in the files
LONGEST = 1 << 20  # bytes of a line without end after which its beginning is written
KEPT = 64 << 20  # bytes of a file that stay on disk behind what was read
STEP = 8 << 20
COLOURS = (36, 33, 32, 35, 34, 31)
IN_MODIFY, IN_NONBLOCK, IN_CLOEXEC = 0x2, 0o4000, 0o2000000
PUNCH_HOLE = 0x3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE


class Source(msgspec.Struct):
    """One file that is being followed."""

    path: str
    work: str
    stream: str
    offset: int = 0
    partial: bytes = b""
    punched: int = 0


class Target:
    """One stream of ours, with what it has not taken yet."""

    def __init__(self, descriptor: int, stream: str, settings: Settings) -> None:
        self.descriptor, self.stream, self.pending = descriptor, stream, bytearray()
        self.terminal = os.isatty(descriptor)
        self.json = settings.log_format == "json"
        wanted = settings.log_prefix == "always" or (settings.log_prefix == "auto" and self.terminal)
        self.prefixes, self.colour = wanted and not self.json, colour_wanted(self.terminal)
        self._piece = CHUNK if _is_file(descriptor) else PIECE
        self._broken, self.patient = False, True

    def put(self, source: Source, lines: bytes) -> None:
        """Take whole lines of one source."""
        if self._broken:
            return
        if not (self.json or self.prefixes):
            self.pending += lines
            return
        for line in lines.split(b"\n")[:-1]:
            self.pending += self._dressed(source, line) + b"\n"

    def _dressed(self, source: Source, line: bytes) -> bytes:
        if self.json:
            text = line.decode(errors="replace")
            return msgspec.json.encode(
                {"time": time.time(), "work": source.work, "stream": source.stream, "line": text}
            )
        label = f"[{source.work.removeprefix('root.')}]"
        if self.colour:
            label = f"\x1b[{COLOURS[zlib.crc32(source.work.encode()) % len(COLOURS)]}m{label}\x1b[0m"
        return label.encode() + b" " + (line.rstrip(b"\r").rpartition(b"\r")[2] if self.terminal else line)

    def write(self, pieces: int = 64) -> None:
        """Write what can be written without waiting."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        while self.pending and pieces and poll.poll(0):
            pieces -= 1
            end = self.pending.rfind(b"\n", 0, self._piece) + 1 or self._piece
            try:
                written = os.write(self.descriptor, self.pending[:end])
            except BlockingIOError:
                return
            except OSError:
                self._broken = True  # nobody reads any more
                written = len(self.pending)
            del self.pending[:written]
        if not self.patient and not poll.poll(0):
            self.pending.clear()


class Follower:
    """All followed files of one run, and the two streams they are written to."""

    def __init__(self, folder: str, settings: Settings, out: int = 1, err: int = 2) -> None:
        self.targets = {"out": Target(out, "out", settings), "err": Target(err, "err", settings)}
        self._sources: dict[str, Source] = {}
        self._changed: set[str] = set()
        self.descriptor = _watch_folder(folder) if settings.watch == "inotify" else None
        self.period = None if self.descriptor is not None else 0.25  # seconds between looks where nothing tells us

    def follow(self, work: str, out: str, err: str) -> None:
        """Begin with what is written to these files from now on; a second time for the same files changes nothing."""
        for stream, path in (("out", out), ("err", err)):
            if path and path not in self._sources:
                size = os.path.getsize(path) if os.path.exists(path) else 0
                self._sources[path] = Source(path, work, stream, offset=size, punched=size)

    def notice(self) -> None:
        """Read what inotify has to say."""
        if self.descriptor is None:
            return
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.descriptor, CHUNK):
                self._note(data)

    def _note(self, data: bytes) -> None:
        names, start = {os.path.basename(path): path for path in self._sources}, 0
        while start < len(data):
            watch, _, _, length = struct.unpack_from("iIII", data, start)
            name = data[start + 16 : start + 16 + length].rstrip(b"\0").decode()
            start += 16 + length
            if watch < 0:  # the queue overflowed
                self._changed.update(self._sources)
            elif name in names:
                self._changed.add(names[name])

    @property
    def waiting(self) -> bool:
        """Whether something read is not written yet, or may be read now."""
        return bool(self._changed) or any(target.pending for target in self.targets.values())

    @property
    def hungry(self) -> bool:
        """Whether something may be read now and there is room for it."""
        return any(self._has_room(self._sources[path]) for path in self._changed)

    def _has_room(self, source: Source) -> bool:
        return len(self.targets[source.stream].pending) < BACKLOG

    def give_up(self) -> None:
        """Somebody is in a hurry: what the terminal does not take now is dropped from now on."""
        for target in self.targets.values():
            target.patient = False

    def blocked(self) -> list[int]:
        """The streams that have something to write."""
        return [target.descriptor for target in self.targets.values() if target.pending]

    def pump(self, *, everything: bool = False) -> None:
        """Read what has changed (or may have), write what can be written."""
        if everything or self.descriptor is None:
            self._changed.update(self._sources)
        for path in list(self._changed):
            source = self._sources[path]
            if self._has_room(source) and self._read(source):
                self._changed.discard(path)
        for target in self.targets.values():
            target.write()

    def finish(self, out: str, err: str) -> None:
        """The worker of these files has ended: a last line without an end is a line as well."""
        for path in (out, err):
            if (source := self._sources.get(path)) is None:
                continue
            while not self._read(source):
                """Its last words are worth the memory."""
            self._changed.discard(path)
            if source.partial:
                line, source.partial = source.partial, b""
                self.targets[source.stream].put(source, line + b"\n")

    def _read(self, source: Source) -> bool:
        """Read one piece; returns whether there is no more for now."""
        try:
            with open(source.path, "rb") as file:
                file.seek(source.offset)
                data = file.read(4 * CHUNK)
        except OSError:
            return True
        source.offset += len(data)
        self._take(source, data)
        self._punch(source)
        return len(data) < 4 * CHUNK

    def _take(self, source: Source, data: bytes) -> None:
        lines, end, rest = data.rpartition(b"\n")
        target = self.targets[source.stream]
        if end:
            target.put(source, source.partial + lines + end)
            source.partial = rest
        else:
            source.partial += rest
        if len(source.partial) > LONGEST:
            target.put(source, source.partial + b"\n")
            source.partial = b""

    def _punch(self, source: Source) -> None:
        """Give the room of what was read long ago back to the disk."""
        length = source.offset - KEPT - source.punched
        if length < STEP or not sys.platform.startswith("linux"):
            return
        libc = ctypes.CDLL(None, use_errno=True)
        with contextlib.suppress(OSError), open(source.path, "r+b") as file:
            arguments = (ctypes.c_longlong(source.punched), ctypes.c_longlong(length))
            libc.fallocate(file.fileno(), PUNCH_HOLE, *arguments)
        source.punched += length


def _watch_folder(folder: str) -> int | None:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = int(libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC))
    except (OSError, AttributeError):
        return None
    if descriptor >= 0 and libc.inotify_add_watch(descriptor, os.fsencode(folder), IN_MODIFY) >= 0:
        return descriptor
    return None


def _is_file(descriptor: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return False
