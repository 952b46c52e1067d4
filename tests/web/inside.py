"""Servers for the tests of the front door: one inside, that does whatever a path says, and the door itself."""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lightning_apps.web.behind import Behind, Doors
from lightning_apps.web.crossing import Secrets
from lightning_apps.web.doors import FrontDoor
from lightning_apps.web.outlet import lending


@contextlib.contextmanager
def served(app: Any, *, uds: str | None = None, **options: Any) -> Iterator[str]:
    """Serve an ASGI application on a thread of its own; gives its address."""
    config = uvicorn.Config(
        app, log_level="critical", lifespan="off", uds=uds, server_header=False, date_header=False, **options
    )
    server = uvicorn.Server(config)
    sockets = None if uds else [socket.create_server(("127.0.0.1", 0))]
    thread = threading.Thread(target=server.run, args=(sockets,), daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("The server did not start.")
        threading.Event().wait(0.005)
    try:
        yield f"unix:{uds}" if uds else f"127.0.0.1:{sockets[0].getsockname()[1]}"  # type: ignore[index]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


class Talk:
    """A bare TCP server that answers each connection with given bytes, or however `answer` does."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer if callable(answer) else lambda connection, head: connection.sendall(answer)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.heads: list[bytes] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if head := read_head(connection):
                self.heads.append(head)
                self._answer(connection, head)
                return

    def close(self) -> None:
        self._listener.close()


def read_head(connection: socket.socket) -> bytes:
    """Bytes up to the first empty line."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    return data


class Seen:
    """What the server inside has seen, for the tests to look at."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.received = 0
        self.left = threading.Event()


def inside(seen: Seen) -> Any:
    """An ASGI application that echoes, streams, waits, counts, as the last part of the path says."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.scopes.append(scope)
        what = scope["path"].rpartition("/")[2]
        if scope["type"] == "websocket":
            await _talk(what, scope, receive, send)
        else:
            await HTTP.get(what, _echo)(scope, receive, send, seen)

    return app


async def _body(receive: Any, seen: Seen) -> bytes:
    data, more = b"", True
    while more:
        message = await receive()
        data += message.get("body", b"")
        seen.received += len(message.get("body", b""))
        more = message.get("more_body", False)
    return data


async def _start(send: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def _echo(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    body = await _body(receive, seen)
    said = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    text = json.dumps(said).encode()
    await _start(send, 200, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(text)))
    await send({"type": "http.response.body", "body": text})


async def _megabyte(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await _start(send, 200, (b"content-length", b"%d" % (1 << 20)))
    await send({"type": "http.response.body", "body": bytes(1 << 20)})


async def _numbers(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    """A body of a length that is given, in pieces of all sizes, each byte of which tells its place."""
    body = numbers(int(scope["query_string"]))
    await _start(send, 200, (b"content-length", b"%d" % len(body)))
    at, size = 0, 1
    while at < len(body):
        await send({"type": "http.response.body", "body": body[at : at + size], "more_body": True})
        at, size = at + size, size * 3
    await send({"type": "http.response.body", "body": b""})


def numbers(length: int) -> bytes:
    """Bytes of which none repeats for long."""
    return array.array("I", range(length // 4 + 1)).tobytes()[:length]


async def _forever(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    """Events without an end, until the client leaves."""
    await _start(send, 200, (b"content-type", b"text/event-stream"))
    left = asyncio.ensure_future(_until_left(receive, seen))
    number = 0
    while not left.done():
        number += 1
        await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
        await asyncio.wait([left], timeout=0.01)


async def _counted_forever(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    """More than anybody reads, until the client leaves."""
    await _start(send, 200, (b"content-length", b"1000000000000"))
    left = asyncio.ensure_future(_until_left(receive, seen))
    while not left.done():
        await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
        await asyncio.sleep(0)


async def _until_left(receive: Any, seen: Seen) -> None:
    while (await receive())["type"] != "http.disconnect":
        """The body is of no interest."""
    seen.left.set()


async def _silent(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await _until_left(receive, seen)


async def _flood(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    """As much as is taken: counts what it could send."""
    length = [(b"content-length", b"%d" % (2000 << 16))] if scope["path"].endswith("counted-flood") else []
    await _start(send, 200, *length)
    left = asyncio.ensure_future(_until_left(receive, seen))
    for _ in range(2000):
        await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
        await asyncio.sleep(0)
        if left.done():
            return  # who comes next counts anew
        seen.received += 1 << 16
    await send({"type": "http.response.body", "body": b""})


async def _slow(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    """Reads the first piece of an upload and then no more."""
    await receive()
    await asyncio.Event().wait()


async def _early(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    """Answers before it has read the body."""
    await _start(send, 413, (b"content-length", b"3"), (b"connection", b"close"))
    await send({"type": "http.response.body", "body": b"big"})


async def _moved(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await _start(
        send, 302, (b"location", b"/login?next=1"), (b"set-cookie", b"a=1; Path=/; Domain=evil.example; HttpOnly"),
        (b"set-cookie", b"lightning=stolen; Path=/"), (b"set-cookie", b"b=2; Path=/x"), (b"content-length", b"0"),
        (b"service-worker-allowed", b"/"),
    )  # fmt: skip
    await send({"type": "http.response.body", "body": b""})


async def _unchanged(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await _start(send, 304, (b"etag", b'"1"'))
    await send({"type": "http.response.body", "body": b""})


HTTP = {
    "megabyte": _megabyte, "forever": _forever, "silent": _silent, "flood": _flood, "counted-flood": _flood,
    "counted-forever": _counted_forever, "numbers": _numbers, "slow": _slow, "early": _early,
    "moved": _moved, "unchanged": _unchanged,
}  # fmt: skip


async def _talk(what: str, scope: Any, receive: Any, send: Any) -> None:
    await receive()
    if what == "refuse":
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"][1:]), None)})
    if what == "farewell":
        await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        return
    if what == "headers":
        said = json.dumps([[name.decode(), value.decode()] for name, value in scope["headers"]])
        await send({"type": "websocket.send", "text": said})
    while (message := await receive())["type"] == "websocket.receive":
        kind = "text" if message.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: message[kind]})


@contextlib.contextmanager
def front_door(
    behind: dict[str, Behind], secrets: Secrets | None = None, **options: Any
) -> Iterator[tuple[str, Doors]]:
    """A front door with these behind it; gives its address."""
    doors = Doors()
    for key, each in behind.items():
        doors.put(key, each)
    with served(FrontDoor(doors, secrets, **options), http=lending(HttpToolsProtocol)) as address:
        yield address, doors
