"""Calls a WSGI application for each request of an ASGI server.  Knows nothing of what is asked."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

IN_MEMORY = 1 << 20  # bytes of a request's body; what is longer goes to a file
THREADS = 40
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class AsAsgi:
    """A WSGI application, called in a pool of threads.

    Args:
        base: `SCRIPT_NAME`.
    """

    def __init__(self, app: WsgiApp, base: str = "") -> None:
        self._app, self._base = app, base
        self._pool = ThreadPoolExecutor(THREADS, "wsgi")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        loop = asyncio.get_running_loop()
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            length = await _keep(receive, body)
            body.seek(0)
            environ = environment(scope, self._base, body, length)
            answer = _Answer(loop, send)
            await loop.run_in_executor(self._pool, answer.run, self._app, environ)


class _Answer:
    """Says what the application answers; on a thread of the pool, one piece at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Any) -> None:
        self._loop, self._send = loop, send
        self._head: dict[str, Any] | None = None
        self._said = False

    def run(self, app: WsgiApp, environ: dict[str, Any]) -> None:
        pieces = app(environ, self._start)
        try:
            for piece in pieces:
                if piece:
                    self._write(piece)
            self._tell_head()
            self._tell({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info and self._said:
            raise exc_info[1].with_traceback(exc_info[2])
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._head = {"type": "http.response.start", "status": int(status[:3]), "headers": encoded}
        return self._write

    def _write(self, piece: bytes) -> None:
        self._tell_head()
        self._tell({"type": "http.response.body", "body": piece, "more_body": True})

    def _tell_head(self) -> None:
        if not self._said:
            if self._head is None:
                raise RuntimeError("The WSGI application did not call start_response.")
            self._said = True
            self._tell(self._head)

    def _tell(self, message: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(self._send(message), self._loop).result()


def environment(scope: Any, base: str, body: Any, length: int) -> dict[str, Any]:
    """The request as PEP 3333 has it."""
    path = unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    host, _, port = (
        next((value for name, value in scope["headers"] if name == b"host"), b"localhost")
        .decode("latin-1")
        .partition(":")
    )
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": base,
        "PATH_INFO": path.removeprefix(base),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": port or ("443" if scope["scheme"] == "https" else "80"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0] or "127.0.0.1",
        "CONTENT_LENGTH": str(length),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value.decode("latin-1")
        elif key != "CONTENT_LENGTH" and "_" not in name.decode("latin-1"):  # a_b and a-b would be one
            key, text = f"HTTP_{key}", value.decode("latin-1")
            environ[key] = f"{environ[key]}{';' if key == 'HTTP_COOKIE' else ','}{text}" if key in environ else text
    return environ


async def _keep(receive: Any, body: Any) -> int:
    length, more = 0, True
    while more:
        message = await receive()
        piece = message.get("body", b"")
        length, more = length + len(piece), message.get("more_body", False)
        body.write(piece)
    return length


async def _live(receive: Any, send: Any) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
