"""Reads one HTTP/1.1 response out of bytes as they arrive, however they are cut.  Knows no sockets."""

from __future__ import annotations

import re

from ..base.errors import LightningError

MOST_HEAD = 64 << 10  # bytes of a status line and its headers
MOST_LINE = 4 << 10  # bytes of the line before a chunk
STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\x00]*)?\Z")
NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\x00]*)?\Z")
BODILESS = (204, 304)

Headers = list[tuple[bytes, bytes]]


class BadAnswer(LightningError):
    """A server inside said something that is no HTTP response."""


class ResponseReader:
    """One response.

    Args:
        method: of the request; an answer to HEAD has no body.

    Attributes:
        status: 0 until the head is there.
        headers: names in lower case, in order.
        done: whether all of it was read.
        reusable: whether the connection can take another request then.
    """

    def __init__(self, method: str) -> None:
        self.status, self.headers = 0, Headers()
        self.done = False
        self.reusable = True
        self._method = method
        self._rest = b""
        self._take = self._head
        self._left = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body in these bytes.

        Raises:
            BadAnswer: this is no response, or one of which it is unclear where it ends.
        """
        pieces: list[bytes] = []
        if self._rest:
            data, self._rest = self._rest + data, b""
        while data and not self.done:
            before = data, self._take
            data = self._take(data, pieces)
            if before == (data, self._take):
                self._rest = data
                return pieces
        if data:
            self.reusable = False  # words that nobody asked for
        return pieces

    def end(self) -> None:
        """The connection has ended.

        Raises:
            BadAnswer: in the middle of the response.
        """
        self.reusable = False
        if self._take == self._until_end:
            self.done = True
        if not self.done:
            raise BadAnswer("The server inside closed its connection in the middle of an answer.")

    @property
    def counted(self) -> int:
        """Bytes still to come of a body whose length was given; 0 if none are, or nobody knows."""
        return self._left if self._take == self._counted and not self.done else 0

    def passed(self, count: int) -> None:
        """So many of them went by elsewhere."""
        self._left -= count
        self.done = not self._left

    # -- the parts of a response, each takes from the front and returns the rest ---------------------------

    def _head(self, data: bytes, pieces: list[bytes]) -> bytes:
        end = data.find(b"\r\n\r\n")
        if end < 0 or end > MOST_HEAD:
            if len(data) > MOST_HEAD:
                raise BadAnswer(f"The server inside sent a head of more than {MOST_HEAD} bytes.")
            return data
        first, *lines = data[:end].split(b"\r\n")
        found = STATUS.match(first)
        if found is None:
            raise BadAnswer(f"The server inside did not answer in HTTP/1.1, but with {first[:40]!r}.")
        status = int(found[2])
        if status == 101:
            raise BadAnswer("The server inside changed the protocol, which nobody had asked for.")
        if status >= 200:
            self.status, self.headers = status, [_header(line) for line in lines]
            self._frame(found[1] == b"1")
        return data[end + 4 :]

    def _frame(self, persistent: bool) -> None:
        """How the body ends (RFC 9112, section 6.3); where there are two opinions there is no answer."""
        values: dict[bytes, list[bytes]] = {}
        for name, value in self.headers:
            values.setdefault(name, []).append(value)
        connection = b",".join(values.get(b"connection", [])).lower()
        self.reusable = persistent and b"close" not in connection
        coding, lengths = values.get(b"transfer-encoding"), values.get(b"content-length")
        if coding and lengths:
            raise BadAnswer("The server inside gave two opinions on the length of its answer.")
        if coding and [value.lower() for value in coding] != [b"chunked"]:
            raise BadAnswer(f"The server inside uses the transfer coding {b', '.join(coding)!r}.")
        self._left = _length(lengths) if lengths else 0
        if self._method == "HEAD" or self.status in BODILESS:
            self.done = True
        elif coding:
            self._take = self._size
        elif lengths:
            self._take = self._counted
            self.done = self._left == 0
        else:
            self._take, self.reusable = self._until_end, False

    def _counted(self, data: bytes, pieces: list[bytes]) -> bytes:
        if len(data) <= self._left:
            pieces.append(data)
            self._left -= len(data)
            self.done = not self._left
            return b""
        piece, rest = data[: self._left], data[self._left :]
        self._left, self.done = 0, True
        pieces.append(piece)
        return rest

    def _until_end(self, data: bytes, pieces: list[bytes]) -> bytes:
        pieces.append(data)
        return b""

    def _size(self, data: bytes, pieces: list[bytes]) -> bytes:
        line, found, rest = data.partition(b"\r\n")
        if not found:
            if len(data) > MOST_LINE:
                raise BadAnswer("The server inside sent a chunk without a size.")
            return data
        size = SIZE.match(line)
        if size is None:
            raise BadAnswer(f"The server inside sent a chunk of the size {line[:20]!r}.")
        self._left = int(size[1], 16)
        self._take = self._chunk if self._left else self._trailers
        return rest

    def _chunk(self, data: bytes, pieces: list[bytes]) -> bytes:
        piece, rest = data[: self._left], data[self._left :]
        pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._take = self._after_chunk
        return rest

    def _after_chunk(self, data: bytes, pieces: list[bytes]) -> bytes:
        if not b"\r\n".startswith(data[:2]):
            raise BadAnswer("The server inside sent a chunk that is longer than it said.")
        if len(data) < 2:
            return data
        self._take = self._size
        return data[2:]

    def _trailers(self, data: bytes, pieces: list[bytes]) -> bytes:
        """Read and dropped: what comes after a body is not what its headers promised."""
        line, found, rest = data.partition(b"\r\n")
        if not found:
            if len(data) > MOST_HEAD:
                raise BadAnswer("The server inside sent trailers without an end.")
            return data
        self.done = not line
        return rest


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or NAME.match(name) is None or b"\n" in value or b"\r" in value or b"\0" in value:
        raise BadAnswer(f"The server inside sent a header that is none: {line[:40]!r}.")
    return name.lower(), value.strip(b" \t")


def _length(values: list[bytes]) -> int:
    if len(set(values)) > 1 or not values[0].isdigit() or len(values[0]) > 18:
        raise BadAnswer(f"The server inside gave its answer the length {b', '.join(values)!r}.")
    return int(values[0])
