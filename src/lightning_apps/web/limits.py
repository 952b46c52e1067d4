"""What a connection may send before it has said what it wants: bounds, and no other protocol.  Knows nothing of requests."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

HEAD = 64 << 10  # bytes of a request's first line and headers
HEADERS = 256
SECONDS = 20.0  # for a request's head, from its first byte, and for the first byte of a connection
UPGRADE = (b"upgrade", b"connection", b"http2-settings")  # headers of a request to go on in another protocol
ANSWER = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"  # before there is a request


def limited(base: type[Any]) -> type[Any]:
    """uvicorn's protocol for httptools, with bounds.

    A request to go on in a protocol that is not spoken here (Java's client asks for h2c each time) is read once more without that
    wish: the parser takes its body for words of the other protocol, so nobody would know where the request ends.
    """

    class Limited(base):  # type: ignore[misc]
        parser: Any

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._in_head, self._head, self._count, self._requests = False, 0, 0, 0
            self._wished, self._data = False, b""
            self._again: bytes | None = None
            self._deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._deadline = self.loop.call_later(SECONDS, self._late)

        def connection_lost(self, error: Exception | None) -> None:
            self._in_time()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            left: bytes | None = data
            before = self._requests
            while left is not None:
                self._data, self._again = left, None
                super().data_received(left)
                left = self._again
            if self._in_head and not self.transport.is_closing():
                self._head += len(data) if self._requests == before else 0  # else most of it may be another request
                if self._head > HEAD:
                    self._refuse(
                        b"431 Request Header Fields Too Large", b'{"detail":"The headers of the request are too long."}'
                    )
                elif self._deadline is None:
                    self._deadline = self.loop.call_later(SECONDS, self._late)

        def on_message_begin(self) -> None:
            self._in_head, self._head, self._count = True, 0, 0
            self._requests += 1
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            self._count += 1
            self._head += len(name) + len(value)
            if self._count > HEADERS or self._head > HEAD:
                return  # of too many none is kept
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._in_time()
            if self._count > HEADERS or self._head > HEAD:
                self._refuse(
                    b"431 Request Header Fields Too Large",
                    b'{"detail":"The request has too many headers, or too long ones."}',
                )
                return
            if self.parser.get_method() == b"CONNECT":
                self._refuse(b"501 Not Implemented", b'{"detail":"This server opens no tunnels."}')
                return
            self._wished = self.parser.should_upgrade() and not self._should_upgrade()
            if not self._wished:
                super().on_headers_complete()

        def _unsupported_upgrade_warning(self) -> None:
            """uvicorn calls it where the parser has stopped behind the head; the exception says how far it has come."""
            if not self._wished:
                return
            parser, self._wished = self.parser, False
            rest = self._data[getattr(sys.exc_info()[1], "args", (0,))[0] :]
            lines = [b"%b %b HTTP/%b" % (parser.get_method(), self.url, parser.get_http_version().encode())]
            lines += [name + b": " + value for name, value in self.headers if name not in UPGRADE]
            if not parser.should_keep_alive():
                lines.append(b"connection: close")
            self.parser = type(parser)(self)
            self._again = b"\r\n".join(lines) + b"\r\n\r\n" + rest

        def on_body(self, body: bytes) -> None:
            if not self.transport.is_closing():
                super().on_body(body)

        def on_message_complete(self) -> None:
            if not (self._wished or self.transport.is_closing()):
                super().on_message_complete()

        def _in_time(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _late(self) -> None:
            self._deadline = None
            if self._in_head:
                self._refuse(b"408 Request Timeout", b'{"detail":"The request took too long to arrive."}')
            else:
                self.transport.close()

        def _refuse(self, status: bytes, body: bytes) -> None:
            self._in_head = False
            if not self.transport.is_closing():
                self.transport.write(ANSWER % (status, len(body), body))
                self.transport.close()

    return Limited
