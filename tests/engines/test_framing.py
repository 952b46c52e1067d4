"""Frames come out as they went in, however the bytes between them are cut."""

from __future__ import annotations

import asyncio
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.engines import framing

some = st.lists(st.binary(max_size=20), max_size=6)


class InDrops(io.BytesIO):
    """As a pipe: one byte at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 1))


@given(contents=some, cut=st.integers(0, 150))
def test_what_has_arrived_as_a_whole_is_taken_and_the_rest_later(contents: list[bytes], cut: int) -> None:
    data = b"".join(map(framing.frame, contents))
    arrived = bytearray(data[:cut])

    first = framing.take(arrived)
    arrived += data[cut:]

    assert first + framing.take(arrived) == contents and not arrived


@given(contents=some)
def test_a_pipe_is_read_frame_by_frame_to_its_end(contents: list[bytes]) -> None:
    pipe = InDrops(b"".join(map(framing.frame, contents)) + b"\5\0\0\0half")

    assert [framing.read_from(pipe) for _ in contents] == contents
    assert framing.read_from(pipe) is None and framing.read_from(pipe) is None


def test_what_is_longer_than_is_taken_is_refused_before_it_has_come() -> None:
    async def read() -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(framing.frame(b"good") + b"\xff\xff\xff\xff")
        assert await framing.read(reader, 4) == b"good"
        return await framing.read(reader, 4)

    with pytest.raises(ValueError, match="a frame of 4294967295 bytes is more than the 4"):
        asyncio.run(read())
