"""Messages to frames and back: four bytes of length, eight of offset, then msgpack.  Knows no sockets.

Values keep their types (see `base.encoding`).  Nothing is unpickled here: call arguments travel as opaque bytes, and only a
worker, which was started by its host, unpickles them.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from ..base.encoding import encode, ext_hook
from ..base.errors import ProtocolError
from ..base.messages import Change, Changed, Changes, Checkpoint, FromWorker, Moved, Run, ToWorker, Welcome

HEADER = struct.Struct(">IQ")
LIMIT = 1 << 31  # bytes of one frame

_encode = msgspec.msgpack.Encoder().encode
_from_worker = msgspec.msgpack.Decoder(FromWorker, ext_hook=ext_hook)
_to_worker = msgspec.msgpack.Decoder(ToWorker, ext_hook=ext_hook)
_change = msgspec.msgpack.Decoder(Change, ext_hook=ext_hook)


def raw(value: Any) -> Any:
    """A value as it is embedded in a message."""
    return msgspec.Raw(encode(value))


def dump(message: Any) -> bytes:
    """A message without its header.

    Raises:
        CannotKeep: a value in it has no encoding.
    """
    if isinstance(message, Welcome):
        message = msgspec.structs.replace(message, state={name: raw(value) for name, value in message.state.items()})
    elif isinstance(message, Checkpoint):
        message = msgspec.structs.replace(message, values=raw(message.values))
    elif isinstance(message, Run) and message.checkpoint is not None:
        message = msgspec.structs.replace(message, checkpoint=raw(message.checkpoint))
    elif isinstance(message, Moved):
        message = msgspec.structs.replace(message, value=raw(message.value))
    elif isinstance(message, (Changed, Changes)):
        message = msgspec.structs.replace(message, changes=tuple(_raw_change(change) for change in message.changes))
    return _encode(message)


def _raw_change(change: Any) -> Any:
    if not isinstance(change, Change):
        return change  # encoded already
    return msgspec.Raw(_encode((raw(list(change.path)), change.op, raw(change.value))))


def frame(payload: bytes, offset: int = 0) -> bytes:
    """With its header; `offset` 0 is for what needs no acknowledgement."""
    return HEADER.pack(len(payload), offset) + payload


def changed_payload(seen: int, encoded: list[bytes]) -> bytes:
    """A `Changed` put together from changes that were encoded one by one."""
    count = len(encoded)
    head = b"\x93\x02" + _encode(seen)
    size = bytes([0x90 | count]) if count < 16 else b"\xdd" + count.to_bytes(4, "big")
    return b"".join((head, size, *encoded))


def is_changed(payload: bytes) -> bool:
    """Whether this is a `Changed`: an array of three whose tag is 2."""
    return payload[:2] == b"\x93\x02"


def load_from_worker(payload: bytes) -> Any:
    """What a worker said.

    Raises:
        ProtocolError: not a message of this version.
    """
    try:
        return _from_worker.decode(payload)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"A worker said something that cannot be understood: {error}.") from None


def load_to_worker(payload: bytes) -> Any:
    """What the host said.

    Raises:
        ProtocolError: not a message of this version.
    """
    try:
        return _to_worker.decode(payload)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"The host said something that cannot be understood: {error}.") from None


def load_change(data: bytes) -> Change:
    """One change that was encoded alone."""
    return _change.decode(data)


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """(offset, payload) of every frame that is complete now.

        Raises:
            ProtocolError: a frame longer than the limit.
        """
        rest = self._rest
        rest += data
        found, start, end = [], 0, len(rest)
        while end - start >= HEADER.size:
            length, offset = HEADER.unpack_from(rest, start)
            if length > self.limit:
                raise ProtocolError(f"A frame of {length} bytes is more than the {self.limit} that are taken.")
            stop = start + HEADER.size + length
            if stop > end:
                break
            found.append((offset, bytes(rest[start + HEADER.size : stop])))
            start = stop
        del rest[:start]
        return found
