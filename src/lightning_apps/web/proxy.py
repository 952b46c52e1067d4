"""Carries a request to a server inside and its answer back, piece by piece.  Knows nothing of what is behind which door."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from .crossing import Door, Framing, Secrets, Smuggled, framing, outward, request_head, target
from .inner import Connection, Pool
from .outlet import Outlet, outlet_of
from .pump import Pipes, Refused, Unsupported
from .response_reader import BadAnswer, ResponseReader

REPEATABLE = ("GET", "HEAD", "OPTIONS", "TRACE")
NOTICE = 0.05  # seconds after which somebody looks whether the client is still there


class Proxy:
    """Forwards requests.

    Args:
        pool: connections to servers inside.
        secrets: what is not told to them.
    """

    def __init__(self, pool: Pool, secrets: Secrets) -> None:
        self._pool, self._secrets, self._pipes = pool, secrets, Pipes()

    async def forward(self, scope: Scope, receive: Receive, send: Send, door: Door, rest: bytes) -> None:
        """Answer with what the server inside answers.

        Raises:
            Unreachable: nobody listens there; nothing was answered yet.
        """
        try:
            frame = framing(scope["headers"])
            where = target(dict(scope), door, rest, self._secrets)
            head = request_head(dict(scope), door, where, frame, self._secrets)
        except Smuggled as error:
            await _refuse(send, 400, str(error))
            return
        repeatable = scope["method"] in REPEATABLE and frame == Framing()
        exchange = Exchange(scope, receive, send, door, self._secrets, self._pipes)
        served = False
        while not served:
            connection, new = await self._pool.take(door.address, repeatable=repeatable)
            try:
                served = await exchange.run(connection, head, frame, once=new or not repeatable)
            finally:
                self._pool.give_back(door.address, connection)


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, door: Door, secrets: Secrets, pipes: Pipes) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._door, self._secrets, self._pipes = door, secrets, pipes
        tcp = not door.address.startswith("unix:")  # out of a Unix socket the kernel copies all the same
        self._outlet = outlet_of(scope) if tcp and pipes.usable else None
        self._started = False

    async def run(self, connection: Connection, head: bytes, frame: Framing, *, once: bool) -> bool:
        """Whether it is over; False if the connection was closed before a word was said and this was not to be said `once`."""
        reader = connection.begin(self._scope["method"], head, self._outlet is not None)
        watcher = _Watcher(self._receive, connection, frame)
        try:
            await self._answer(connection, reader)
        except BadAnswer as error:
            if not watcher.left:
                if connection.silent and not once:
                    return False
                await self._broken(error)
        finally:
            watcher.close()
            if not (reader.done and watcher.uploaded):
                connection.abort()
        return True

    async def _answer(self, connection: Connection, reader: ResponseReader) -> None:
        done = False
        while not done:
            if self._started and self._outlet is not None and connection.ready_to_pour:
                await self._pour(connection, self._outlet)
            pieces = list(await connection.read())
            done = reader.done
            if not self._started and reader.status:
                self._started = True
                headers = outward(reader.status, reader.headers, dict(self._scope), self._door, self._secrets)
                await self._send({"type": "http.response.start", "status": reader.status, "headers": headers})
            if done and not pieces:
                pieces = [b""]
            for number, piece in enumerate(pieces, 1):
                more = not done or number < len(pieces)
                await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    async def _pour(self, connection: Connection, outlet: Outlet) -> None:
        """What is left of a long body goes from socket to socket; where that cannot be, `connection` goes on as before."""
        pipe = self._pipes.take()
        if pipe is None:
            connection.to_pour = False
            return
        try:
            target = await outlet.lend(self._send)
            if target is not None:
                outlet.take_back(await connection.pour(target, pipe))
        except Refused:
            await self._gone(connection, outlet)
        except OSError as error:
            self._pipes.usable = not isinstance(error, Unsupported)  # else there are too few descriptors for now
        finally:
            connection.to_pour = False
            self._pipes.give_back(pipe)

    async def _gone(self, connection: Connection, outlet: Outlet) -> None:
        """The client takes no more, which our server is yet to notice."""
        connection.abort()
        outlet.cut()
        while (await self._receive())["type"] != "http.disconnect":
            """It sends something still."""

    async def _broken(self, error: BadAnswer) -> None:
        """Where the answer has begun nothing can be said; the server drops the connection, as the answer is not complete."""
        if not self._started:
            await _refuse(self._send, 502, str(error))


class _Watcher:
    """Sends the body of the request on, and ends the exchange when the client leaves."""

    def __init__(self, receive: Receive, connection: Connection, frame: Framing) -> None:
        self._receive, self._connection, self._frame = receive, connection, frame
        self.left = False
        self.uploaded = frame == Framing()
        self._missing = frame.length or 0
        self._task: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._timer = None if not self.uploaded else loop.call_later(NOTICE, self._start)
        if not self.uploaded:
            self._start()

    def _start(self) -> None:
        self._task = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        try:
            while not self.uploaded:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    return self._leave()
                await self._pass_on(message.get("body", b""), message.get("more_body", False))
            while True:
                if (await self._receive())["type"] == "http.disconnect":
                    return self._leave()
        except ConnectionResetError:
            """The server inside wants no more of it; what it answered, if anything, is read on."""

    async def _pass_on(self, body: bytes, more: bool) -> None:
        chunked = self._frame.chunked
        if body:
            await self._connection.write(b"%x\r\n%b\r\n" % (len(body), body) if chunked else body)
        self._missing -= len(body)
        if more:
            return
        if chunked:
            await self._connection.write(b"0\r\n\r\n")
        if self._missing > 0:
            self._connection.abort()  # what comes next on it would be taken for the rest
        self.uploaded = True

    def _leave(self) -> None:
        self.left = True
        self._connection.abort()

    def close(self) -> None:
        """The exchange is over."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = sentence.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
