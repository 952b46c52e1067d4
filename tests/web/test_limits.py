"""What a connection may send before it has said what it wants, and how long it may take."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lightning_apps.base.settings import Settings
from lightning_apps.web import bodies, limits
from lightning_apps.web.access import Access, component_token, operator_token
from lightning_apps.web.gate import Gate
from lightning_apps.web.limits import limited
from lightning_apps.web.server import Server, new_loop


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    body += b"ok"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port() -> Iterator[int]:
    """A server that says "ok"."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    loop = new_loop()
    server = loop.run_until_complete(made(listening, loop))
    thread = Thread(target=lambda: loop.run_until_complete(server.serve(lambda: None)))
    thread.start()
    yield listening.getsockname()[1]
    server.stop()
    thread.join(5)
    loop.close()
    listening.close()


async def made(listening: socket.socket, loop: Any) -> Server:
    return Server(echo, listening, loop, Settings())


def ask(port: int, data: bytes) -> bytes:
    """Everything that is answered until the server hangs up, or the first answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        try:
            sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            """It did not wait for the end."""
        try:
            return sock.recv(65536)
        except ConnectionResetError:
            return b""


HOST = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


def test_ordinary_requests_pass_one_after_another_and_together(port: int) -> None:
    assert ask(port, HOST + b"\r\n").endswith(b"\r\n\r\nok")
    assert ask(port, HOST + b"X: " + b"a" * 60_000 + b"\r\n\r\n").endswith(b"ok")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        for _ in range(3):
            for byte in (HOST[:10], HOST[10:], b"\r\n"):
                sock.sendall(byte)
            assert sock.recv(1000).endswith(b"ok")


@pytest.mark.parametrize(
    "data",
    [
        HOST + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n",
        HOST + b"X: " + b"a" * (1 << 20),
        b"GET /" + b"a" * (1 << 20),
        HOST + b"X: a\r\n" * 1000 + b"\r\n",
    ],
)
def test_too_much_before_a_request_is_refused(port: int, data: bytes) -> None:
    answer = ask(port, data)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert ask(port, HOST + b"\r\n").endswith(b"ok")


UPGRADE = (
    b"POST /x?y HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
)


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("cut", [10, 130, 150, 1000])
def test_a_request_that_wishes_for_another_protocol_keeps_its_body(port: int, body: bytes, cut: int) -> None:
    whole = UPGRADE + body
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        for part in (whole[:cut], whole[cut:] + 500 * whole):
            sock.sendall(part)
        answers = b""
        while answers.count(b"\r\n\r\nhellook") < 501:
            answers += sock.recv(65536)

    assert answers.count(b"HTTP/1.1 200 ") == 501


def test_no_tunnel_is_opened(port: int) -> None:
    for target in (b"a:1", b"/x"):
        assert ask(port, b"CONNECT " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 501 ")
    assert ask(port, HOST + b"\r\n").endswith(b"ok")


class Transport:
    """Notes what is written."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> Any:
        return None


def connection(loop: Any) -> tuple[Any, Transport]:
    """One connection of a protocol with bounds, without a socket."""
    import uvicorn

    config = uvicorn.Config(echo, lifespan="off", log_config=None)
    config.load()
    made, transport = limited(HttpToolsProtocol)(config, uvicorn.server.ServerState(), {}, loop), Transport()
    made.connection_made(transport)
    return made, transport


class Timers(asyncio.SelectorEventLoop):
    """A loop whose timers are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.set: list[tuple[float, Any, Any]] = []

    def call_later(self, delay: float, callback: Any, *args: Any, **options: Any) -> Any:
        handle = super().call_later(delay, callback, *args, **options)
        self.set.append((delay, callback, handle))
        return handle


def test_a_request_that_trickles_and_a_connection_that_says_nothing_are_ended() -> None:
    loop = Timers()
    _, transport = connection(loop)
    delay, callback, _ = loop.set[-1]
    assert delay == limits.SECONDS
    callback()
    assert transport.closed and not transport.written

    trickling, transport = connection(loop)
    trickling.data_received(HOST)
    loop.set[-1][1]()
    assert transport.closed and transport.written.startswith(b"HTTP/1.1 408 ")

    whole, transport = connection(loop)
    handle = loop.set[-1][2]
    whole.data_received(HOST)
    whole.on_headers_complete = lambda: None
    whole._in_time()
    assert handle.cancelled() and not transport.closed
    loop.close()


def test_a_body_that_stops_coming_is_refused() -> None:
    async def parts() -> Any:
        yield b"a"
        await asyncio.sleep(3600)

    async def read() -> list[bytes]:
        return [part async for part in bodies.in_time(parts(), 0.01)]

    began = time.monotonic()
    with pytest.raises(bodies.BadBody, match="Nothing of the body"):
        asyncio.run(read())
    assert time.monotonic() - began < 60


def test_a_second_socket_speaks_http_and_asks_everybody_for_a_token() -> None:
    listening, plain = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    port, asking = (each.getsockname()[1] for each in (listening, plain))
    access = Access(operator_token(b"k"), b"k", asking=asking)
    loop = new_loop()

    async def make() -> Server:
        return Server(Gate(echo, access), listening, loop, Settings(), plain)

    server = loop.run_until_complete(make())
    thread = Thread(target=lambda: loop.run_until_complete(server.serve(lambda: None)))
    thread.start()
    token = component_token(access, "root.w").encode()

    for _ in range(2):  # what was let in before is not let in everywhere
        assert ask(port, HOST + b"\r\n").startswith(b"HTTP/1.1 200 ")
        assert ask(asking, HOST + b"\r\n").startswith(b"HTTP/1.1 401 ")
        assert ask(asking, HOST + b"Authorization: Bearer " + token + b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")

    server.stop()
    thread.join(5)
    assert not thread.is_alive()
    loop.close()
    listening.close()
    plain.close()
