"""Reads a request that wishes to go on in another protocol as if it had not wished.  Knows no bounds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
else:
    Base = object  # `limited` puts it there: httptools may be missing

UPGRADE = (b"upgrade", b"connection", b"http2-settings")  # headers of such a request
ANSWER = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"  # before there is a request


class Plain(Base):
    """Added to uvicorn's protocol, which speaks HTTP/1.1 and WebSockets.

    A request for a protocol that is not spoken here (Java's client asks for h2c each time) is read once more without that wish: the
    parser takes its body for words of the other protocol, so nobody would know where the request ends.
    """

    parser: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wished, self._data = False, b""
        self._again: bytes | None = None

    def data_received(self, data: bytes) -> None:
        left: bytes | None = data
        while left is not None:
            self._data, self._again = left, None
            super().data_received(left)
            left = self._again

    def on_headers_complete(self) -> None:
        if self.parser.get_method() == b"CONNECT":
            self.refuse(b"501 Not Implemented", "This server opens no tunnels.")
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

    def refuse(self, status: bytes, sentence: str) -> None:
        """Answer and hang up, before anybody was asked."""
        if not self.transport.is_closing():
            body = b'{"detail":"%b"}' % sentence.encode()
            self.transport.write(ANSWER % (status, len(body), body))
            self.transport.close()
