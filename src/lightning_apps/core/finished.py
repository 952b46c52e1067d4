"""The calls that have succeeded long ago: their keys for good, in some 20 bytes each, and what the few returned that returned something.

Keys are 16 bytes of a good hash, so their first bytes spread them evenly over segments that are searched as a whole: a million
keys are a thousand to a segment, which a search goes through in a microsecond.  Segments only grow at their end, but where a key is
taken out of them, so what is new since a snapshot is told at the cost of what is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

SIZE, SEGMENTS = 16, 1024

Part = list[Any]  # encoded pieces, [[key, value], …], and keys that have no value any more
Piece = tuple[int, int, bytes]  # number of a segment, its length before, what came after that
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Piece]).decode


class Finished:
    """Keys (32 hex digits) to values, as a dictionary.

    Args:
        spare: bytes that parts may hold in vain before one that is everything replaces them.

    Attributes:
        since: the turn of the first part that `grown` gave and that still counts, 0 if there is none.
    """

    def __init__(self, spare: int = 1 << 16) -> None:
        self._spare = spare
        self._segments: dict[int, bytearray] = {}
        self._values: dict[bytes, Any] = {}
        self.since = 0
        self._told: dict[int, int] = {}  # how much of each segment is in the parts that were given
        self._cut: set[int] = set()  # segments of which the parts hold more than is still so
        self._news: set[bytes] = set()  # keys whose value is another than in the parts
        self._given = 0  # bytes of the parts

    def __setitem__(self, key: str, value: Any) -> None:
        data = bytes.fromhex(key)
        number = _number(data)
        segment = self._segments.get(number)
        if segment is None:
            segment = self._segments[number] = bytearray()
        if _find(segment, data) < 0:
            segment += data
        if value is not None:
            self._values[data] = value
            self._news.add(data)
        elif self._values.pop(data, None) is not None:
            self._news.add(data)

    def __contains__(self, key: str) -> bool:
        data = bytes.fromhex(key)
        segment = self._segments.get(_number(data))
        return segment is not None and _find(segment, data) >= 0

    def get(self, key: str, default: Any = None) -> Any:
        """What the call returned; `default` if it is not here."""
        return self._values.get(bytes.fromhex(key)) if key in self else default

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        return self._values.get(bytes.fromhex(key))

    def pop(self, key: str, default: Any = None) -> Any:
        """Forget it."""
        data = bytes.fromhex(key)
        number = _number(data)
        segment = self._segments.get(number)
        at = -1 if segment is None else _find(segment, data)
        if segment is None or at < 0:
            return default
        last = segment[-SIZE:]
        del segment[-SIZE:]
        if at < len(segment):
            segment[at : at + SIZE] = last
        if at < self._told.get(number, 0):
            self._told[number] = at
            self._cut.add(number)
        if data in self._values:
            self._news.add(data)
        return self._values.pop(data, None)

    def __len__(self) -> int:
        return sum(len(segment) for segment in self._segments.values()) // SIZE

    def __iter__(self) -> Iterator[str]:
        data = b"".join(self._segments.values())
        return (data[at : at + SIZE].hex() for at in range(0, len(data), SIZE))

    def keys(self) -> Iterator[str]:
        """All keys, in no order."""
        return iter(self)

    # -- keeping -----------------------------------------------------------------------------------------

    def dump(self) -> list[Part]:
        """Everything, as values that can be encoded; `load` takes it."""
        return [[_encode(self._pieces(self._segments, {})), [[key, value] for key, value in self._values.items()], []]]

    def grown(self, turn: int) -> tuple[bool, Part] | None:
        """What is new since this was last asked, None if nothing is.

        Args:
            turn: number of the turn after which this is asked.

        Returns:
            whether the part is everything, so that those before it count no more; and the part.
        """
        size = SIZE * len(self)
        whole = self._given > 2 * size + self._spare if self.since else bool(size)
        if whole:
            self._given, self.since, self._told = 0, turn, {}
        told = self._told
        numbers = [n for n, segment in self._segments.items() if len(segment) > told.get(n, 0) or n in self._cut]
        news = self._values.keys() if whole else self._news
        pieces = self._pieces(numbers, told)
        values = [[key, self._values[key]] for key in news if key in self._values]
        without = [] if whole else [key for key in news if key not in self._values]
        self._count_as_told(pieces)
        return (whole, [_encode(pieces), values, without]) if whole or pieces or values or without else None

    def _pieces(self, numbers: Iterable[int], told: dict[int, int]) -> list[Piece]:
        return [(n, begin := told.get(n, 0), bytes(self._segments[n][begin:])) for n in numbers]

    def load(self, parts: Iterable[Part], since: int = 0) -> None:
        """Take up what `dump`, or `grown` over time, gave; `since`: as it was then."""
        Finished.__init__(self, self._spare)
        self.since = since
        for encoded, values, without in parts:
            pieces = _decode(encoded)
            for number, length, data in pieces:
                segment = self._segments.setdefault(number, bytearray())
                del segment[length:]
                segment += data
            self._values.update((bytes(key), value) for key, value in values)
            for key in without:
                self._values.pop(bytes(key), None)
            if since:
                self._count_as_told(pieces)

    def _count_as_told(self, pieces: Iterable[Piece]) -> None:
        self._cut.clear()
        self._news.clear()
        for number, length, data in pieces:
            self._told[number] = length + len(data)
            self._given += len(data)


def _number(data: bytes) -> int:
    return (data[0] << 8 | data[1]) % SEGMENTS


def _find(segment: bytearray, data: bytes) -> int:
    """Where the key begins, which is a whole number of keys into the segment; -1 if it is not there."""
    at = segment.find(data)
    while at > 0 and at % SIZE:
        at = segment.find(data, at + 1)
    return at
