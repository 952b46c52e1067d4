"""Bounds on what a connection may send before it has said what it wants: bytes and headers, and seconds.  Knows nothing of requests."""

from __future__ import annotations

import asyncio
from typing import Any

from .plain import Plain

HEAD = 64 << 10  # bytes of a request's first line and headers
HEADERS = 256
SECONDS = 20.0  # for a request's head, from its first byte, and for the first byte of a connection
TOO_LARGE = b"431 Request Header Fields Too Large"


def limited(base: type[Any]) -> type[Any]:
    """uvicorn's protocol for httptools, with bounds, and without protocols that are not spoken here."""
    return type("Limited", (Limits, base), {})


class Head:
    """How much of a request's head has come.

    Attributes:
        unfinished: whether it has begun and not ended.
        number: which request of its connection it is.
    """

    def __init__(self) -> None:
        self.unfinished, self.number = False, 0
        self._bytes = self._headers = 0

    def begin(self) -> None:
        """The first byte of a request."""
        self.unfinished, self._bytes, self._headers = True, 0, 0
        self.number += 1

    def came(self, count: int) -> None:
        """So many bytes, none of which was the end."""
        self._bytes += count

    def header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers += 1
        self._bytes += len(name) + len(value)

    @property
    def too_large(self) -> bool:
        """Whether this is more than a request may begin with."""
        return self._headers > HEADERS or self._bytes > HEAD


class Limits(Plain):
    """Added to uvicorn's protocol by `limited`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = Head()
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = self.loop.call_later(SECONDS, self._late)

    def connection_lost(self, error: Exception | None) -> None:
        self._in_time()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        before = self._head.number
        super().data_received(data)
        if self._head.unfinished and not self.transport.is_closing():
            if self._head.number == before:  # else most of it may be another request
                self._head.came(len(data))
            if self._head.too_large:
                self.refuse(TOO_LARGE, "The headers of the request are too long.")
            elif self._deadline is None:
                self._deadline = self.loop.call_later(SECONDS, self._late)

    def on_message_begin(self) -> None:
        self._head.begin()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head.header(name, value)
        if not self._head.too_large:  # of too many none is kept
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head.unfinished = False
        self._in_time()
        if self._head.too_large:
            self.refuse(TOO_LARGE, "The request has too many headers, or too long ones.")
        else:
            super().on_headers_complete()

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self._head.unfinished:
            self.refuse(b"408 Request Timeout", "The request took too long to arrive.")
        else:
            self.transport.close()

    def refuse(self, status: bytes, sentence: str) -> None:
        self._head.unfinished = False
        super().refuse(status, sentence)
