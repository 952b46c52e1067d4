"""Reading and changing the state over HTTP.  Reads come from the board, writes go to the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ..base.errors import CannotEdit, OutOfDate
from ..base.messages import Edit
from ..base.status import AppStage
from ..core.edits import OPERATIONS
from . import delta
from .answers import Handler, guarded, json_answer, refusal
from .board import Board
from .bodies import BadBody, read_json
from .context import Context
from .pointer import place_of, tokens_of
from .served import Served

CONTENT = (b"content-type", b"application/json")
FRESH = (b"cache-control", b"no-cache")


def routes(context: Context) -> list[BaseRoute]:
    """`/api/v1/state`, `/api/v1/state/{component}` and `/api/v1/delta`."""
    writes, guard = Writes(context), guarded(context.log, context.debug)
    served, changes = writes.served, {"POST": guard(writes.post), "PATCH": guard(writes.patch)}
    return [
        Route("/api/v1/state", State(context.board, served, changes), methods=["GET", "POST", "PATCH"]),
        Route("/api/v1/delta", guard(writes.delta), methods=["POST"]),
        Route("/api/v1/state/{component}", guard(writes.component), methods=["GET"]),
    ]


class State:
    """The whole state: without a framework's help, as it is asked for often."""

    def __init__(self, board: Board, served: Served, changes: Mapping[str, Handler]) -> None:
        self._board, self._served, self._changes = board, served, changes
        self._body, self._tag, self._headers = b"", "", [CONTENT]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        change = self._changes.get(scope["method"])
        if change is not None:
            answer = await change(Request(scope, receive))
            await answer(scope, receive, send)
        else:
            await self._show(scope, send)

    async def _show(self, scope: Scope, send: Send) -> None:
        board = self._board
        board.catch_up()
        body = board.state()
        if body is not self._body:
            running = board.stage == AppStage.RUNNING
            tag = f'"{board.version}"' if running else f'"{board.version}-{board.stage}"'
            length = (b"content-length", b"%d" % len(body))
            self._body, self._tag, self._headers = body, tag, [CONTENT, FRESH, length, (b"etag", tag.encode())]
        wanted = session = b""
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                wanted = value
            elif name == b"x-lightning-session-uuid":
                session = value
        if wanted and wanted == self._tag.encode():
            await send({"type": "http.response.start", "status": 304, "headers": self._headers[3:]})
            await send({"type": "http.response.body", "body": b""})
            return
        self._served.note(session, body)
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": body})


class Writes:
    """Everything that changes the state, and reads of one component."""

    def __init__(self, context: Context) -> None:
        self._context, self._board, self._desk = context, context.board, context.desk
        self.served = Served()

    async def component(self, request: Request) -> Response:
        """One component, and what is below it."""
        self._board.catch_up()
        node = self._board.nodes.get(request.path_params["component"])
        if node is None:
            return refusal(404, f"The app has no component {request.path_params['component']!r}.")
        tag = f'"{self._board.version if node.is_flow else self._board.version_of(node)}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return Response(node.json(), 200, {"etag": tag, "cache-control": "no-cache"}, "application/json")

    async def patch(self, request: Request) -> Response:
        """JSON Patch (RFC 6902) on the shape of the state: all of it or nothing."""
        operations = await read_json(request)
        if not isinstance(operations, list):
            raise BadBody(422, "A JSON Patch is a list of operations.")
        self._board.catch_up()
        edits = [self._edit(operation) for operation in operations]
        turn = await self._desk.edit(edits, self._seen(request.headers.get("if-match")))
        version = f"{self._board.generation}.{turn}"
        return json_answer({"version": version}, headers={"etag": f'"{version}"'})

    def _edit(self, operation: Any) -> Edit:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise CannotEdit('An operation of a JSON Patch is an object with "op", "path" and, mostly, "value".')
        op = operation.get("op")
        if not isinstance(op, str) or op not in OPERATIONS or op == "put":
            raise CannotEdit(f"{op!r} is no operation of a JSON Patch: add, replace, remove, test, copy and move are.")
        component, path = place_of(tokens_of(operation["path"]), self._board.nodes)
        if op in ("copy", "move"):
            source = operation.get("from")
            if not isinstance(source, str):
                raise CannotEdit(f'The operation {op!r} needs a "from".')
            return Edit(component, path, op, list(place_of(tokens_of(source), self._board.nodes)))
        if op != "remove" and "value" not in operation:
            raise CannotEdit(f'The operation {op!r} needs a "value".')
        return Edit(component, path, op, operation.get("value"))

    def _seen(self, tag: str | None) -> int | None:
        """The turn that an If-Match header speaks of."""
        if tag is None or tag.strip() == "*":
            return None
        generation, _, turn = tag.strip().removeprefix("W/").strip('"').partition("-")[0].partition(".")
        if not (generation.isascii() and generation.isdigit() and turn.isascii() and turn.isdigit()):
            raise CannotEdit(f"If-Match: {tag} is no version; the ETag of an answer is one.")
        if int(generation) != self._board.generation:
            raise OutOfDate("The app was started anew since the version that this change goes by: read it again.")
        return int(turn)

    async def delta(self, request: Request) -> Response:
        """The older framework's changes."""
        body = await read_json(request)
        if not isinstance(body, dict) or not isinstance(body.get("delta"), dict):
            raise BadBody(422, 'The body has to be an object with a "delta".')
        self._board.catch_up()
        await self._desk.edit(delta.edits_of(body["delta"], self._board.nodes))
        return json_answer(None)

    async def post(self, request: Request) -> Response:
        """The older framework's whole state: what differs from what the sender was served last is set."""
        body = await read_json(request)
        if not isinstance(body, dict):
            raise BadBody(422, 'The body has to be an object with a "state" or a "stage".')
        state, stage = body.get("state"), body.get("stage")
        self._board.catch_up()
        edits = [] if state is None else self._changes(state, request)
        if stage is None and isinstance(state, dict) and isinstance(state.get("app_state"), dict):
            stage = state["app_state"].get("stage")
        if stage not in (None, AppStage.RUNNING, self._board.stage):
            raise CannotEdit(
                f"The stage {stage!r} cannot be asked for: a flow that is held back is begun with 'running'."
            )
        await self._desk.edit(edits, stage=stage or "")
        return json_answer(None)

    def _changes(self, state: Any, request: Request) -> list[Edit]:
        session = request.headers.get("x-lightning-session-uuid", "").encode()
        before = msgspec.json.decode(self.served.last(session) or self._board.state())
        return delta.edits_between(before, state, self._board.nodes)
