"""Asks the flow's thread on behalf of requests: a future here, an event there, and the reply completes the future."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from ..base.errors import Unanswered
from ..base.messages import Asked, Edit, Edited, Event, Reply
from ..base.values import plain

PREFIX = "web "
PATIENCE = 30.0  # seconds that a change may take


class WebDesk:
    """See `ports.Desk`.

    Args:
        put: gives an event to the flow's thread; from any thread.
        loop: the event loop of the web's thread.
    """

    def __init__(self, put: Callable[[Event], None], loop: asyncio.AbstractEventLoop) -> None:
        self._put, self._loop = put, loop
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._closed = False

    async def ask(
        self,
        component: str,
        method: str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        timeout: float | None = 30.0,
    ) -> Any:
        """See `ports.Desk.ask`."""
        number = f"{PREFIX}{next(self._numbers)}"
        return await self._wait(number, Asked(number, component, method, args, kwargs or {}), timeout)

    async def edit(self, edits: Sequence[Edit], seen: int | None = None, stage: str = "") -> int:
        """See `ports.Desk.edit`."""
        number = f"{PREFIX}{next(self._numbers)}"
        turn: int = await self._wait(number, Edited(number, tuple(edits), seen, stage), PATIENCE)
        return turn

    async def _wait(self, number: str, event: Event, timeout: float | None) -> Any:
        if self._closed:
            raise Unanswered("The app is ending, so it takes no more requests.")
        future = self._waiting[number] = self._loop.create_future()
        self._put(event)
        try:
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            raise Unanswered(f"The flow did not answer within {timeout:g} s.") from None
        finally:
            self._waiting.pop(number, None)

    def answer(self, reply: Reply) -> None:
        """On the flow's thread: pass on what came of a request."""
        value = plain(reply.value)  # the flow goes on changing its own
        self._loop.call_soon_threadsafe(self._settle, reply.id, value, reply.error)

    def _settle(self, number: str, value: Any, error: BaseException | None) -> None:
        future = self._waiting.get(number)
        if future is None or future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))

    def close(self) -> None:
        """No request is answered any more."""
        self._closed = True
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(Unanswered("The app has ended before it answered."))
