"""Carries one connection through another that cannot be closed by halves (TLS): each piece has its length before it, none means the end."""

from __future__ import annotations

import asyncio
import contextlib

from .. import framing

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CHUNK = 1 << 16


async def carry(framed: Streams, plain: Streams) -> None:
    """Both ways, until both sides have ended; each is closed then."""
    try:
        await asyncio.gather(_outwards(plain[0], framed[1]), _inwards(framed[0], plain[1]))
    finally:
        for _, writer in (framed, plain):
            writer.close()


async def _outwards(reader: asyncio.StreamReader, framed: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            framed.write(framing.frame(data))
            await framed.drain()
        framed.write(framing.frame(b""))
        await framed.drain()


async def _inwards(framed: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while data := await framing.read(framed):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
