"""Reads one field of a form (RFC 7578) as it streams in, and nothing else of it.  Pure."""

from __future__ import annotations

import re

BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
NAME = re.compile(rb'[;\s]name="([^"]*)"', re.IGNORECASE)
HEADERS = 16 << 10  # bytes of the headers of a part


class NotMultipart(ValueError):
    """A body that is no form, or has no such field."""


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts.

    Raises:
        NotMultipart: the content type does not say.
    """
    match = BOUNDARY.search(content_type)
    if match is None:
        raise NotMultipart("The Content-Type of the form names no boundary.")
    return (match[1] or match[2]).encode("latin-1", "replace")


class Reader:
    """Takes the body in pieces of any size and gives back the content of the first field of a name."""

    def __init__(self, boundary: bytes, field: str) -> None:
        self._between, self._field = b"\r\n--" + boundary, field.encode()
        self._held = b"\r\n"  # so that the first boundary looks like the others
        self._state = "before"  # before → headers → ours | others → … → done
        self._found = False

    def feed(self, data: bytes) -> bytes:
        """What these bytes add to the field's content.

        Raises:
            NotMultipart: they are no form.
        """
        self._held += data
        content = b""
        while True:
            part, more = self._step()
            content += part
            if not more:
                return content

    def close(self) -> None:
        """The body is over.

        Raises:
            NotMultipart: the field was not in it, or not all of it.
        """
        if not self._found or self._state == "ours":
            whole = "all of " if self._found else ""
            raise NotMultipart(f"The form has not {whole}the field {self._field.decode()!r} that holds the file.")

    def _step(self) -> tuple[bytes, bool]:
        if self._state == "headers":
            return b"", self._read_headers()
        if self._state == "done":
            self._held = b""
            return b"", False
        at = self._held.find(self._between)
        ours = self._state == "ours"
        if at < 0:
            keep = len(self._between) - 1
            content = self._held[:-keep] if len(self._held) > keep else b""
            self._held = self._held[len(content) :]
            return (content if ours else b""), False
        behind = at + len(self._between)
        if len(self._held) < behind + 2:
            content, self._held = self._held[:at], self._held[at:]
            return (content if ours else b""), False
        content, end = self._held[:at], self._held[behind : behind + 2]
        self._held = self._held[behind:]
        self._state = "done" if end == b"--" or ours else "headers"
        return (content if ours else b""), True

    def _read_headers(self) -> bool:
        """Whether all headers of this part are there."""
        at = self._held.find(b"\r\n\r\n")
        if at < 0:
            if len(self._held) > HEADERS:
                raise NotMultipart("The headers of a part of the form are too long.")
            return False
        match = NAME.search(self._held[:at])
        ours = match is not None and match[1] == self._field
        self._found = self._found or ours
        self._state = "ours" if ours else "others"
        self._held = self._held[at + 4 :]
        return True
