"""The calls that have succeeded long ago: their keys for good, in some 20 bytes each, and what the few returned that returned something.

Keys are 16 bytes of a good hash, so their first bytes spread them evenly over segments that are searched as a whole: a million
keys are a thousand to a segment, which a search goes through in a microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SIZE, SEGMENTS = 16, 1024


class Finished:
    """Keys (32 hex digits) to values, as a dictionary."""

    def __init__(self) -> None:
        self._segments: list[bytearray | None] = [None] * SEGMENTS
        self._values: dict[str, Any] = {}

    def __setitem__(self, key: str, value: Any) -> None:
        data = bytes.fromhex(key)
        segment = self._segments[_number(data)]
        if segment is None:
            segment = self._segments[_number(data)] = bytearray()
        if _find(segment, data) < 0:
            segment += data
        if value is not None:
            self._values[key] = value
        else:
            self._values.pop(key, None)

    def __contains__(self, key: str) -> bool:
        data = bytes.fromhex(key)
        segment = self._segments[_number(data)]
        return segment is not None and _find(segment, data) >= 0

    def get(self, key: str, default: Any = None) -> Any:
        """What the call returned; `default` if it is not here."""
        return self._values.get(key) if key in self else default

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        return self._values.get(key)

    def pop(self, key: str, default: Any = None) -> Any:
        """Forget it."""
        data = bytes.fromhex(key)
        segment = self._segments[_number(data)]
        at = -1 if segment is None else _find(segment, data)
        if segment is None or at < 0:
            return default
        last = segment[-SIZE:]
        del segment[-SIZE:]
        if at < len(segment):
            segment[at : at + SIZE] = last
        return self._values.pop(key, None)

    def __len__(self) -> int:
        return sum(len(segment) for segment in self._segments if segment) // SIZE

    def __iter__(self) -> Iterator[str]:
        data = b"".join(segment for segment in self._segments if segment)
        return (data[at : at + SIZE].hex() for at in range(0, len(data), SIZE))

    def keys(self) -> Iterator[str]:
        """All keys, in no order."""
        return iter(self)

    def dump(self) -> list[Any]:
        """Everything, as values that can be encoded; `load` takes it."""
        return [b"".join(segment for segment in self._segments if segment), dict(self._values)]

    def load(self, dumped: list[Any]) -> None:
        """Take up what `dump` gave: keys by segment, as they were."""
        data, values = dumped
        self._segments, self._values = [None] * SEGMENTS, dict(values)
        begin = 0
        while begin < len(data):
            number, end = _number(data[begin : begin + 2]), begin + SIZE
            while end < len(data) and _number(data[end : end + 2]) == number:
                end += SIZE
            self._segments[number] = bytearray(data[begin:end])
            begin = end


def _number(data: bytes) -> int:
    return (data[0] << 8 | data[1]) % SEGMENTS


def _find(segment: bytearray, data: bytes) -> int:
    """Where the key begins, which is a whole number of keys into the segment; -1 if it is not there."""
    at = segment.find(data)
    while at > 0 and at % SIZE:
        at = segment.find(data, at + 1)
    return at
