"""What works and frontends print, as server-sent events from any position: an event's id is where to go on.  Reads files, changes none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ..base.showing import encode
from .answers import guarded, refusal
from .behind import Doors
from .context import Context

CHUNK = 64 << 10
PAUSE = 0.2  # seconds between looks
ALIVE = 75  # looks without anything after which a comment shows that the connection lives
LONGEST = 64 << 10  # bytes of a line that is told before it has ended
STREAMS = ("out", "err")


def routes(context: Context) -> list[BaseRoute]:
    """`GET /api/v1/logs`."""
    open_now: list[None] = []

    async def logs(request: Request) -> Response:
        """Args in the query: `component` (repeatable; all if left out), `from` a position, `tail` bytes, `follow`."""
        context.board.catch_up()
        doors = context.extra.get("doors")
        pages = {key[2:] for key in doors.all() if key.startswith("f/")} if isinstance(doors, Doors) else set()
        known = [node.name for node in context.board.nodes.values() if not node.is_flow or node.name in pages]
        wanted = request.query_params.getlist("component") or known
        for name in wanted:
            if name not in known:
                return refusal(404, f"The app has no work, and no flow with a frontend, {name!r}.")
        if len(open_now) >= context.settings.streams:
            return refusal(503, f"There are {len(open_now)} open streams, which is as many as there may be.")
        begin = request.query_params.get("from") or request.headers.get("last-event-id", "")
        tail, follow = request.query_params.get("tail", ""), request.query_params.get("follow", "true") != "false"
        reader = LogReader(os.path.join(context.folder, "logs"), wanted)
        reader.go_to(begin) if begin else reader.go_back(int(tail)) if tail.isascii() and tail.isdigit() else None
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(reader, follow, open_now), 200, headers, "text/event-stream")

    return [Route("/api/v1/logs", guarded(context.log, context.debug)(logs))]


async def _events(reader: LogReader, follow: bool, open_now: list[None]) -> AsyncIterator[bytes]:
    open_now.append(None)
    try:
        quiet = 0
        yield b"retry: 1000\n\n"
        while True:
            events = reader.read()
            if events:
                quiet = 0
                yield b"".join(events)
                continue
            if not follow:
                return
            quiet += 1
            if quiet % ALIVE == 0:
                yield b":\n\n"
            await asyncio.sleep(PAUSE)
    finally:
        open_now.pop()


class LogReader:
    """The output files of some works, each read from where it was left."""

    def __init__(self, folder: str, works: list[str]) -> None:
        self._folder = folder
        self._at = {(work, stream): 0 for work in works for stream in STREAMS}

    @property
    def position(self) -> str:
        """Where it is in each file, for `go_to`; files that nothing was read of are left out."""
        return ",".join(f"{work}.{stream}:{at}" for (work, stream), at in self._at.items() if at)

    def go_to(self, position: str) -> None:
        """Go on where another reader was; what is not understood begins at its beginning."""
        for entry in position.split(","):
            name, _, at = entry.rpartition(":")
            work, _, stream = name.rpartition(".")
            if (work, stream) in self._at and at.isascii() and at.isdigit() and len(at) < 19:
                self._at[work, stream] = int(at)

    def go_back(self, size: int) -> None:
        """Begin so many bytes before the end of each file, at the beginning of a line."""
        for (work, stream), _ in self._at.items():
            try:
                with open(self._path(work, stream), "rb") as file:
                    end = file.seek(0, os.SEEK_END)
                    file.seek(max(0, end - size - 1))
                    skipped = file.readline() if end > size else b""
                    self._at[work, stream] = max(0, end - size - 1) + len(skipped) if end > size else 0
            except OSError:
                continue

    def read(self) -> list[bytes]:
        """The next lines of all files, as events; none if there are none now."""
        found = []
        for work, stream in self._at:
            for line, end in self._lines(work, stream):
                self._at[work, stream] = end
                value = {"component": work, "stream": stream, "line": line.decode("utf-8", "replace")}
                found.append(b"id: %b\ndata: %b\n\n" % (self.position.encode(), encode(value)))
        return found

    def _lines(self, work: str, stream: str) -> list[tuple[bytes, int]]:
        """Whole lines, and where each ends."""
        try:
            with open(self._path(work, stream), "rb") as file:
                at = max(self._at[work, stream], _first_byte(file.fileno()))
                file.seek(at)
                data = file.read(CHUNK)
        except OSError:
            return []
        *whole, rest = data.split(b"\n")
        if not whole and len(rest) >= LONGEST:
            return [(rest, at + len(rest))]
        lines = []
        for line in whole:
            at += len(line) + 1
            lines.append((line.rstrip(b"\r").rpartition(b"\r")[2], at))  # of a progress bar its last state
        return lines

    def _path(self, work: str, stream: str) -> str:
        return os.path.join(self._folder, f"{work.replace(os.sep, '_')}.{stream}")


def _first_byte(descriptor: int) -> int:
    """Where the file begins: the beginning of long output is given back to the disk."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except (AttributeError, OSError):
        return 0
