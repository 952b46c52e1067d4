"""Carries a WebSocket to a server inside, message by message, both ways.  Knows nothing of what is said."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from starlette.types import Receive, Scope, Send

from .crossing import Door, Secrets, inward, target
from .inner import CONNECT, Unreachable

LONGEST = 64 << 20  # bytes of one message
GOING_AWAY, NO_STATUS, ABNORMAL, TOO_BIG, FAILED = 1001, 1005, 1006, 1009, 1011


async def relay(scope: Scope, receive: Receive, send: Send, door: Door, rest: bytes, secrets: Secrets) -> None:
    """Carry one WebSocket until either side ends it.

    Raises:
        Unreachable: nobody listens there; nothing was answered yet.
    """
    from websockets.exceptions import InvalidStatus, WebSocketException

    if (await receive())["type"] != "websocket.connect":
        return
    try:
        inner = await _open(scope, door, rest, secrets)
    except InvalidStatus as refused:
        await _deny(scope, send, refused.response.status_code)
        return
    except (OSError, asyncio.TimeoutError) as error:
        raise Unreachable(f"Nobody listens at {door.address}: {error}.") from None
    except WebSocketException:
        await _deny(scope, send, 502)
        return
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(inner.close)
        await send({"type": "websocket.accept", "subprotocol": inner.subprotocol})
        await _both_ways(receive, send, inner)


async def _open(scope: Scope, door: Door, rest: bytes, secrets: Secrets) -> Any:
    from websockets.asyncio.client import connect, unix_connect

    said = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in inward(dict(scope), door, secrets)]
    host = next((value for name, value in said if name == "host"), "localhost")
    headers = [(name, value) for name, value in said if name != "host" and not name.startswith("sec-websocket-")]
    options: dict[str, Any] = {
        "additional_headers": headers,
        "subprotocols": scope.get("subprotocols") or None,
        "compression": None,  # on one machine it costs more than it saves
        "user_agent_header": None,
        "max_size": LONGEST,
        "max_queue": 16,
        "ping_interval": None,  # its server pings, ours pings the client
        "open_timeout": CONNECT,
        "proxy": None,
    }
    uri = f"ws://{host}{target(dict(scope), door, rest, secrets).decode('latin-1')}"
    if door.address.startswith("unix:"):
        return await unix_connect(door.address[5:], uri, **options)
    name, _, port = door.address.rpartition(":")
    return await connect(uri, host=name.strip("[]"), port=int(port), **options)


async def _both_ways(receive: Receive, send: Send, inner: Any) -> None:
    inbound = asyncio.ensure_future(_inward(receive, inner))
    outbound = asyncio.ensure_future(_outward(send, inner))
    try:
        await asyncio.wait((inbound, outbound), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (inbound, outbound):
            task.cancel()
        await asyncio.gather(inbound, outbound, return_exceptions=True)


async def _inward(receive: Receive, inner: Any) -> None:
    from websockets.exceptions import ConnectionClosed

    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = _sendable(message.get("code") or 1000)
            await inner.close(code, message.get("reason") or "")
            return
        text = message.get("text")
        try:
            await inner.send(text if text is not None else message["bytes"])
        except ConnectionClosed:
            return


async def _outward(send: Send, inner: Any) -> None:
    async for message in _messages(inner):
        kind = "text" if isinstance(message, str) else "bytes"
        await send({"type": "websocket.send", kind: message})
    code, reason = inner.close_code or FAILED, inner.close_reason or ""
    await send({"type": "websocket.close", "code": _sendable(code), "reason": reason})


async def _messages(inner: Any) -> Any:
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        async for message in inner:
            yield message


def _sendable(code: int) -> int:
    """Codes that only describe what happened may not be sent (RFC 6455, section 7.4.1)."""
    return {NO_STATUS: 1000, ABNORMAL: FAILED, 1015: FAILED}.get(code, code)


async def _deny(scope: Scope, send: Send, status: int) -> None:
    """Refuse the WebSocket as the server inside did, where our server can say more than 403."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"", "more_body": False})
    else:
        await send({"type": "websocket.close", "code": 1000})
