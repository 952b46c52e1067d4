"""Frames of keepers, minders and brokers: four bytes of length (little endian), then so many bytes.  Knows not what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import asyncio

LENGTH = 4  # bytes that say it
LIMIT = (1 << 8 * LENGTH) - 1


def frame(data: bytes) -> bytes:
    """As it travels."""
    return len(data).to_bytes(LENGTH, "little") + data


def take(arrived: bytearray) -> list[bytes]:
    """What is in the frames that are there as a whole, which are gone from `arrived` then."""
    found, start = [], 0
    while len(arrived) - start >= LENGTH:
        end = start + LENGTH + int.from_bytes(arrived[start : start + LENGTH], "little")
        if len(arrived) < end:
            break
        found.append(bytes(arrived[start + LENGTH : end]))
        start = end
    del arrived[:start]
    return found


async def read(reader: asyncio.StreamReader, limit: int = LIMIT) -> bytes:
    """What is in the next frame.

    Raises:
        asyncio.IncompleteReadError: the stream has ended.
        ValueError: it is longer than the limit.
    """
    size = int.from_bytes(await reader.readexactly(LENGTH), "little")
    if size > limit:
        raise ValueError(f"a frame of {size} bytes is more than the {limit} that are taken")
    return await reader.readexactly(size)


def read_from(stream: BinaryIO) -> bytes | None:
    """What is in the next frame of a file or pipe, of which no more is read if it is not buffered; None at its end."""
    head = _exactly(stream, LENGTH)
    return None if head is None else _exactly(stream, int.from_bytes(head, "little"))


def _exactly(stream: BinaryIO, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            return None
        data += more
    return data
