"""`POST /command/NAME`, and what clients need to know to offer the same as commands.  Does not know who may call them."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..base.errors import LightningError, Unanswered
from ..base.traces import ours, user_traceback
from ..model.offer import Command, Offer, target_of
from ..ports import Desk
from .context import Context
from .parameters import Detail, Parameters, Unfit

TIMEOUT = 30.0  # seconds
NO_ANSWER = "The response was never received."
BROKEN = "Internal Server Error"
HARNESS = {"starlette", "fastapi", "asyncio", "anyio", "concurrent", "threading.py"}  # what calls, in tracebacks


Complain = Callable[[str], None]  # says at the app's terminal what went wrong


class Failure(msgspec.Struct):
    """Why there is no answer: an HTTP status and what the caller is told."""

    status: int
    detail: Any
    headers: dict[str, str] | None = None


def failure_of(error: Exception, complain: Complain, debug: bool = False) -> Failure:
    """What a caller is told of an exception; its traceback goes to the app's terminal."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and hasattr(error, "detail"):  # starlette's and FastAPI's HTTPException
        return Failure(status, error.detail, getattr(error, "headers", None))
    if isinstance(error, Unanswered):
        return Failure(500, NO_ANSWER)
    trace = user_traceback(error.with_traceback(_of_the_app(error.__traceback__)))
    complain(trace)
    return Failure(500, trace if debug else BROKEN)


def _of_the_app(trace: TracebackType | None) -> TracebackType | None:
    """Without what calls the app's code."""
    rest = trace
    while rest is not None:
        file = rest.tb_frame.f_code.co_filename
        if not ours(file) and not HARNESS & set(file.split(os.sep)):
            return rest
        rest = rest.tb_next
    return trace


def said_in_json(value: Any) -> bytes:
    """What a method returned, as JSON.

    Raises:
        LightningError: it holds something that JSON cannot say.
    """
    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except TypeError as error:
        raise LightningError(f"The answer {type(value).__name__} cannot be sent as JSON: {error}") from None


def _plain(value: Any) -> Any:
    """Pydantic models, numpy's arrays and numbers, and what else says itself in plain values."""
    for name, options in (("model_dump", {"mode": "json"}), ("tolist", {}), ("to_dict", {}), ("__fspath__", {})):
        if callable(say := getattr(value, name, None)):
            return say(**options)
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} is no JSON")


class Served:
    """One command, ready to be called."""

    def __init__(self, command: Command, desk: Desk) -> None:
        self.command = command
        self.parameters = Parameters(command.method)
        self._target, self._desk = target_of(command.method), desk

    async def call(self, request: Request) -> Any:
        """What its method answers to this request.

        Raises:
            Unfit: the request brings other arguments than it takes.
        """
        query: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            query.setdefault(name, []).append(value)
        arguments = self.parameters.take(query, _json(await request.body()))
        if self._target is not None:
            return await self._desk.ask(self._target.component, self._target.method, (), arguments, timeout=TIMEOUT)
        if inspect.iscoroutinefunction(self.command.method):
            return await self.command.method(**arguments)
        return await asyncio.to_thread(self.command.method, **arguments)

    def listed(self) -> dict[str, Any]:
        """For clients: name, what it is for, what it takes, and whether half of it runs there."""
        client = self.command.client
        shown: dict[str, Any] = {
            "name": self.command.name,
            "path": self.command.path,
            "description": inspect.cleandoc(self.command.description),
            "parameters": self.parameters.listed,
            "schemas": self.parameters.schemas,
            "client": None,
        }
        if client is not None:
            shown["client"] = {"class": type(client).__qualname__, "requirements": list(client.requirements)}
        return shown

    def code(self) -> dict[str, Any]:
        """The file that the client's half is defined in.

        Raises:
            LightningError: there is none.
        """
        kind = type(self.command.client)
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None)
        try:
            with open(str(file), encoding="utf-8") as source:
                text = source.read()
        except (OSError, UnicodeDecodeError):
            raise LightningError(
                f"The command {self.command.name!r} has no file: define {kind.__qualname__} in one."
            ) from None
        return {
            "class": kind.__qualname__,
            "file": file,
            "source": text,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }


def _json(body: bytes) -> Any:
    if not body.strip():
        return msgspec.UNSET
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Unfit([Detail(("body",), f"JSON decode error: {error}", "json_invalid")]) from None


def routes(context: Context) -> list[BaseRoute]:
    """`/command/…` and what clients need for it."""
    offer: Offer = context.extra.get("offer", Offer())
    return routes_of(offer.commands, context.desk, context.log.error, context.debug)


def routes_of(commands: Sequence[Command], desk: Desk, complain: Complain, debug: bool = False) -> list[BaseRoute]:
    """Everything that serves these commands.

    Raises:
        RouteError: (ValueError) a command takes something that no request can bring.
    """
    served = {command.path: Served(command, desk) for command in commands}

    async def call(request: Request) -> Response:
        found = served.get(request.path_params["path"])
        if found is None:
            return _unknown(request.path_params["path"], served)
        try:
            return Response(said_in_json(await found.call(request)), media_type="application/json")
        except Unfit as unfit:
            return JSONResponse({"detail": msgspec.to_builtins(unfit.details)}, 422)
        except Exception as error:
            failure = failure_of(error, complain, debug)
            return JSONResponse({"detail": failure.detail}, failure.status, failure.headers)

    async def listing(request: Request) -> Response:
        return Response(
            msgspec.json.encode({"commands": [each.listed() for each in served.values()]}),
            media_type="application/json",
        )

    async def code(request: Request) -> Response:
        found = served.get(request.path_params["path"])
        if found is None or found.command.client is None:
            return _unknown(request.path_params["path"], served)
        try:
            return JSONResponse(found.code())
        except LightningError as error:
            return JSONResponse({"detail": str(error)}, 404)

    return [
        Route("/command/{path}", call, methods=["POST"]),
        Route("/api/v1/commands", listing, methods=["GET"]),
        Route("/api/v1/commands/{path}/code", code, methods=["GET"]),
    ]


def _unknown(path: str, served: dict[str, Served]) -> Response:
    known = ", ".join(served) or "none"
    return JSONResponse({"detail": f"The app has no command {path!r}; it has: {known}."}, 404)


def openapi(commands: Sequence[Command]) -> dict[str, Any]:
    """The paths and schemas of these commands, for the app's description of itself."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for command in commands:
        parameters = Parameters(command.method)
        schemas.update(parameters.schemas)
        paths[f"/command/{command.path}"] = {
            "post": {
                "summary": command.name,
                "description": inspect.cleandoc(command.description),
                "operationId": f"command_{command.path}",
                "tags": ["app_client_command" if command.client is not None else "app_command"],
                **parameters.operation(),
                "responses": RESPONSES,
            }
        }
    return {"paths": paths, "components": {"schemas": schemas}}


RESPONSES = {
    "200": {"description": "What the command answered", "content": {"application/json": {"schema": {}}}},
    "422": {"description": "Arguments that do not fit"},
    "500": {"description": "The command failed, or did not answer in time"},
}
