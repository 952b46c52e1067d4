"""Bounds on what a connection may send before it has said what it wants: bytes and headers, and seconds.  Knows nothing of requests."""

from __future__ import annotations

import asyncio
from typing import Any

HEAD = 64 << 10  # bytes of a request's first line and headers
HEADERS = 256
SECONDS = 20.0  # for a request's head, from its first byte, and for the first byte of a connection
ANSWER = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"  # before there is a request


def limited(base: type[Any]) -> type[Any]:
    """uvicorn's protocol for httptools, with bounds."""

    class Limited(base):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._in_head, self._head, self._count = False, 0, 0
            self._deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._deadline = self.loop.call_later(SECONDS, self._late)

        def connection_lost(self, error: Exception | None) -> None:
            self._in_time()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._in_head and not self.transport.is_closing():
                self._head += len(data)
                if self._head > HEAD:
                    self._refuse(
                        b"431 Request Header Fields Too Large", b'{"detail":"The headers of the request are too long."}'
                    )
                elif self._deadline is None:
                    self._deadline = self.loop.call_later(SECONDS, self._late)

        def on_message_begin(self) -> None:
            self._in_head, self._head, self._count = True, 0, 0
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
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            if not self.transport.is_closing():
                super().on_body(body)

        def on_message_complete(self) -> None:
            if not self.transport.is_closing():
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
