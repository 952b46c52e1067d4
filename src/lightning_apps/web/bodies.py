"""Reads bodies of requests, up to a limit, and says in one sentence what is wrong with them.  Knows no routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request

LIMIT = 16 << 20  # bytes of a body that is read into memory
SECONDS = 30.0  # between two parts of a body


class BadBody(Exception):
    """A body that cannot be used; `status` is the answer's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def read(request: Request, limit: int = LIMIT) -> bytes:
    """The whole body.

    Raises:
        BadBody: it is longer than the limit.
    """
    too_long = BadBody(413, f"The body is longer than the {limit} bytes that are taken here.")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise too_long
    parts, total = [], 0
    async for part in in_time(request.stream()):
        total += len(part)
        if total > limit:
            raise too_long
        parts.append(part)
    return b"".join(parts)


async def in_time(parts: AsyncIterator[bytes], seconds: float = SECONDS) -> AsyncIterator[bytes]:
    """The parts of a body, none of which may take too long to come.

    Raises:
        BadBody: one does.
    """
    while True:
        try:
            yield await asyncio.wait_for(parts.__anext__(), seconds)
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError:
            raise BadBody(408, f"Nothing of the body has come for {seconds:g} s.") from None


async def read_json(request: Request, limit: int = LIMIT) -> Any:
    """The body as JSON.

    Raises:
        BadBody: it is too long, or no JSON.
    """
    try:
        return msgspec.json.decode(await read(request, limit))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadBody(422, f"The body is no JSON: {error}.") from None
