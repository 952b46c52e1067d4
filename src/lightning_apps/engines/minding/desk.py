"""Where minders dial in: admits them, answers their beats, keeps what their workers write, opens tunnels.  Decides nothing about works.

It lives on a thread and an event loop of its own, so that renewing a lease never waits for the flow.  What it learns it hands to
`Told`, on that thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from ...ports import Placement
from .. import framing
from . import tunnel, words
from .lease import Sight
from .way_to_app import pass_on

FIRST_WORD = 10.0  # seconds
TUNNEL = 10.0  # seconds until a minder has dialled for one
PART = 1 << 20


def now() -> float:
    """Seconds on a clock that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Told(Protocol):
    """Who is told what minders say; on the desk's thread."""

    def here(self, place: str, word: words.Here) -> words.Begin | words.Away | None:
        """A minder dials in: what it is to do; None: go on."""

    def running(self, place: str, pid: int, began: str) -> None: ...
    def ended(self, place: str, word: words.Ended) -> None: ...
    def failed(self, place: str, reason: str) -> None: ...


class Minded(msgspec.Struct):
    """One place.

    Attributes:
        token: admits its minder.
        order: what it is for.
        sight: when it was heard last.
        offsets: how many bytes of "out" and "err" of this place are in its files.
        bases: how long the files were before.
        writer: its connection, while there is one.
    """

    token: str
    order: Placement
    sight: Sight
    offsets: dict[str, int] = msgspec.field(default_factory=lambda: {"out": 0, "err": 0})
    bases: dict[str, int] = msgspec.field(default_factory=lambda: {"out": 0, "err": 0})
    writer: Any = None


class Desk:
    """Listens at `host:port` with TLS.

    Args:
        context: with the run's certificate.
        told: takes what minders say.
        parcel: the file of a parcel, by its hash.
    """

    def __init__(self, context: ssl.SSLContext, told: Told, parcel: Callable[[str], str]) -> None:
        self._context, self._told, self._parcel = context, told, parcel
        self.places: dict[str, Minded] = {}
        self._waiting: dict[tuple[str, int], asyncio.Future[tunnel.Streams]] = {}
        self._numbers = 0
        self._doors: dict[tuple[str, int], tuple[asyncio.Server, int]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="desk", daemon=True)

    def open(self, host: str, port: int) -> None:
        """Begin to listen.

        Raises:
            OSError: it cannot.
        """
        server = socket.create_server((host, port), backlog=512)
        self._thread.start()
        self.call(self._serve(server)).result(10.0)

    async def _serve(self, server: socket.socket) -> None:
        self._server = await asyncio.start_server(self._greet, sock=server, ssl=self._context, limit=1 << 20)

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have the desk's thread do this; a `concurrent.futures.Future`."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def soon(self, act: Callable[[], object]) -> None:
        """Have the desk's thread do this next."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Have it done after a time; on the desk's thread only."""
        self._loop.call_later(seconds, act)

    # -- minders --------------------------------------------------------------------------------------------------

    def expect(self, order: Placement, token: str, patience: float | None) -> None:
        """The minder of this place may come; on the desk's thread only."""
        minded = Minded(token, order, Sight(patience, now()))
        self.places[order.place] = minded
        self._take_up_output(minded)

    def forget(self, place: str, reason: str = "its place is taken") -> None:
        """It is not wanted any more; on the desk's thread only."""
        minded = self.places.pop(place, None)
        if minded is not None and minded.writer is not None:
            minded.writer.write(words.frame(words.Away(reason)))
            minded.writer.close()
        if minded is not None:
            with contextlib.suppress(OSError):
                os.unlink(_bases_file(minded.order))
        for key in [key for key in self._doors if key[0] == place]:
            self._doors.pop(key)[0].close()

    def tell(self, place: str, message: words.ToMinder) -> bool:
        """Say something to a minder; False if it is not connected; on the desk's thread only."""
        minded = self.places.get(place)
        if minded is None or minded.writer is None:
            return False
        minded.writer.write(words.frame(message))
        return True

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            data = await asyncio.wait_for(framing.read(reader, words.FIRST), FIRST_WORD)
            word = words.from_minder(data)
            if isinstance(word, words.Tunnel) and self._knows(word.place, word.token):
                await self._take_tunnel(word, (reader, writer))
            elif isinstance(word, words.ToApp) and self._knows(word.place, word.token):
                await pass_on(self.places[word.place].order, (reader, writer))
            elif isinstance(word, words.Here):
                await self._admit(word, reader, writer)
        except (OSError, ValueError, msgspec.DecodeError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            """A stranger, or somebody cut off."""
        except asyncio.CancelledError:
            """The desk is closed; nobody waits for this task."""
        finally:
            writer.close()

    def _knows(self, place: str, token: str) -> bool:
        minded = self.places.get(place)
        return minded is not None and hmac.compare_digest(minded.token, token)

    async def _admit(self, word: words.Here, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._knows(word.place, word.token):
            writer.write(words.frame(words.Away("it is not expected (any more)")))
            await writer.drain()
            return
        minded = self.places[word.place]
        if minded.writer is not None:
            minded.writer.close()
        answer = self._told.here(word.place, word)
        if isinstance(answer, words.Away):
            writer.write(words.frame(answer))
            return
        minded.writer = writer
        minded.sight.heard(now())
        writer.write(words.frame(answer or words.GoOn(minded.offsets["out"], minded.offsets["err"])))
        try:
            if word.ended is not None:
                self._told.ended(word.place, word.ended)
            while True:
                self._hear(minded, words.from_minder(await framing.read(reader, words.LIMIT)), writer)
                await writer.drain()
        finally:
            if minded.writer is writer:
                minded.writer = None

    def _hear(self, minded: Minded, word: words.FromMinder, writer: asyncio.StreamWriter) -> None:
        place = minded.order.place
        if place not in self.places:
            return
        minded.sight.heard(now())
        if isinstance(word, words.Beat):
            writer.write(words.frame(words.Beaten(word.number, minded.offsets["out"], minded.offsets["err"])))
        elif isinstance(word, words.Wrote):
            self._keep(minded, word)
        elif isinstance(word, words.Running):
            self._told.running(place, word.pid, word.began)
        elif isinstance(word, words.Ended):
            self._told.ended(place, word)
        elif isinstance(word, words.Failed):
            self._told.failed(place, word.reason)
        elif isinstance(word, words.Want):
            self._start(self._hand_over(word.parcel, writer))

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_over(self, digest: str, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), open(self._parcel(digest), "rb") as file:
            while data := file.read(PART):
                writer.write(words.frame(words.Part(data)))
                await writer.drain()
            writer.write(words.frame(words.Part(b"")))

    # -- output ---------------------------------------------------------------------------------------------------

    def _keep(self, minded: Minded, word: words.Wrote) -> None:
        """Append what is new to the work's file, from where it is followed as if the worker had written it here."""
        if word.stream not in minded.offsets:
            return
        have, end = minded.offsets[word.stream], word.offset + len(word.data)
        data = word.data[max(0, have - word.offset) :]
        if word.offset > have:
            mark = f"[{word.offset - have} bytes of output were lost while its machine was cut off]\n".encode()
            data, lost = mark + data, word.offset - have - len(mark)
            minded.bases[word.stream] -= lost
            self._note_bases(minded)
        path = minded.order.out if word.stream == "out" else minded.order.err
        if path and data:
            with open(path, "ab") as file:
                file.write(data)
        minded.offsets[word.stream] = max(have, end)

    def _note_bases(self, minded: Minded) -> None:
        """For a host that comes after this one: how long the files were before this place wrote."""
        with open(_bases_file(minded.order), "wb") as file:
            file.write(msgspec.json.encode(minded.bases))

    def _take_up_output(self, minded: Minded) -> None:
        """What is kept of this place's output: the files are as long as they were, and that much longer."""
        if not minded.order.err:
            return
        sizes = {"out": _size(minded.order.out), "err": _size(minded.order.err)}
        try:
            with open(_bases_file(minded.order), "rb") as file:
                minded.bases = msgspec.json.decode(file.read(), type=dict[str, int])
        except (OSError, msgspec.DecodeError):
            minded.bases = dict(sizes)
            self._note_bases(minded)
        minded.offsets = {stream: max(0, sizes[stream] - minded.bases[stream]) for stream in sizes}

    # -- tunnels --------------------------------------------------------------------------------------------------

    async def door(self, place: str, port: int) -> int:
        """A port of this machine's loopback that leads to a port of the worker's machine."""
        key = (place, port)
        if key not in self._doors:

            async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._through(place, port, (reader, writer))

            server = await asyncio.start_server(enter, "127.0.0.1", 0)
            self._doors[key] = server, server.sockets[0].getsockname()[1]
        return self._doors[key][1]

    async def _through(self, place: str, port: int, outer: tunnel.Streams) -> None:
        self._numbers += 1
        key = (place, self._numbers)
        arrived = self._waiting[key] = self._loop.create_future()
        try:
            if not self.tell(place, words.OpenTunnel(key[1], port)):
                return
            inner = await asyncio.wait_for(arrived, TUNNEL)
            await tunnel.carry(inner, outer)
        except asyncio.TimeoutError:
            """Nobody serves there."""
        finally:
            self._waiting.pop(key, None)
            outer[1].close()

    async def _take_tunnel(self, word: words.Tunnel, streams: tunnel.Streams) -> None:
        arrived = self._waiting.get((word.place, word.number))
        if arrived is not None and not arrived.done():
            arrived.set_result(streams)
            with contextlib.suppress(OSError):
                await streams[1].wait_closed()

    # -- the end --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Nobody is listened to any more."""

        async def end() -> None:
            self._server.close()
            for minded in self.places.values():
                if minded.writer is not None:
                    minded.writer.close()
            for server, _ in self._doors.values():
                server.close()
            for task in [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
                task.cancel()

        if self._thread.is_alive():
            with contextlib.suppress(Exception):
                self.call(end()).result(5.0)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)


def _bases_file(order: Placement) -> str:
    return os.path.join(os.path.dirname(order.err), f".{order.place}.bases")


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
