"""What is answered: JSON, and errors as one sentence with the status that fits.  Knows no routes."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..base.errors import CannotEdit, ComponentError, LightningError, OutOfDate, StateMismatch, Unanswered
from ..base.log import Log
from ..base.showing import encode
from .bodies import BadBody

Handler = Callable[[Request], Awaitable[Response]]
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (OutOfDate, 409),
    (CannotEdit, 422),
    (ComponentError, 422),
    (StateMismatch, 422),
    (Unanswered, 503),
)


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON."""
    return Response(encode(value), status, headers, "application/json")


def refusal(status: int, reason: str) -> Response:
    """One sentence, in the shape that clients of the older framework read."""
    return json_answer({"detail": reason}, status)


def answer_to(error: Exception, log: Log, what: str, debug: bool = False) -> Response:
    """What is answered where a handler raised; a traceback goes to the log, and out only with `debug`."""
    if isinstance(error, BadBody):
        return refusal(error.status, str(error))
    for kind, status in STATUS:
        if isinstance(error, kind):
            return refusal(status, str(error))
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
    log.error(f"{what} failed:\n{text}")
    if debug:
        return refusal(500, text)
    reason = str(error) if isinstance(error, LightningError) else "Internal Server Error"
    return refusal(500, reason)


def guarded(log: Log, debug: bool = False) -> Callable[[Handler], Handler]:
    """Around a handler: what it raises is answered."""

    def around(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def guarded_handler(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as error:
                return answer_to(error, log, f"{request.method} {request.url.path}", debug)

        return guarded_handler

    return around
