"""What an app is made of and how it is: layout, components, statuses, annotations.  Reads from the board; changes nothing."""

from __future__ import annotations

import inspect
import os
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..base.showing import encode
from ..base.status import WorkStageStatus, WorkStatus
from .access import OPERATOR, VIEWER, came_through, is_loopback, name_of, outer_scheme, viewer_token
from .answers import guarded, json_answer, refusal
from .board import Board
from .context import Context
from .node import Node

ANNOTATIONS = "lightning-annotations.json"


def routes(context: Context) -> list[BaseRoute]:
    """`/api/v1/layout`, `/spec`, `/status`, `/annotations` and `/share`."""
    board, guard = context.board, guarded(context.log, context.debug)

    async def show_layout(request: Request) -> Response:
        """The older framework's: a text that holds JSON."""
        board.catch_up()
        return json_answer(encode(layout(board)).decode())

    async def show_spec(request: Request) -> Response:
        board.catch_up()
        return json_answer([described(node) for node in board.nodes.values()])

    async def show_status(request: Request) -> Response:
        board.catch_up()
        if not board.turn:
            return refusal(503, "App status hasn't been reported yet.")
        return json_answer(status(board))

    async def show_annotations(request: Request) -> Response:
        return json_answer(notes(os.getcwd()))

    async def share(request: Request) -> Response:
        return _share(context, request)

    return [
        Route("/api/v1/layout", guard(show_layout)),
        Route("/api/v1/spec", guard(show_spec)),
        Route("/api/v1/status", guard(show_status)),
        Route("/api/v1/annotations", guard(show_annotations)),
        Route("/api/v1/share", guard(share)),
    ]


def layout(board: Board) -> list[dict[str, Any]]:
    """The root's tabs, with the address of a flow's page in the place of its name."""
    root = board.nodes.get("root")
    shown = root.values.get("_layout") if root is not None else []
    if isinstance(shown, dict):
        return [{"name": "root", "content": shown.get("target", ""), **shown}] if shown else []
    return [{**entry, "content": _content(board, entry.get("content"))} for entry in shown or []]


def _content(board: Board, content: Any) -> Any:
    node = board.nodes.get(content) if isinstance(content, str) else None
    inside = node.values.get("_layout") if node is not None else None
    return inside["target"] if isinstance(inside, dict) and "target" in inside else content


def described(node: Node) -> dict[str, Any]:
    """One component: its name in parts, its class, and for a work what it asks for."""
    kind = node.kind
    shape: dict[str, Any] = {
        "affiliation": node.name.split("."),
        "cls_name": kind.__name__,
        "module": kind.__module__,
        "docstring": inspect.cleandoc(kind.__doc__ or ""),
    }
    if not node.is_flow:
        configs = {name: node.options.get(name) for name in ("local_build_config", "cloud_build_config")}
        shape |= {name: None if config is None else config.to_dict() for name, config in configs.items()}
        shape["cloud_compute"] = node.values.get("_cloud_compute")
    return shape


def status(board: Board) -> dict[str, Any]:
    """As `app.status`: whether the page can be shown, and the last status of every work."""
    none = WorkStatus(stage=WorkStageStatus.NOT_STARTED, timestamp=board.at)
    works = [node for node in board.nodes.values() if not node.is_flow]
    statuses = {node.name: node.statuses[-1] if node.statuses else none for node in works}
    return {"is_ui_ready": board.is_ready, "work_statuses": statuses}


def notes(folder: str) -> Any:
    """What the file of this name in the folder holds; [] without one."""
    try:
        with open(os.path.join(folder, ANNOTATIONS), "rb") as file:
            return msgspec.json.decode(file.read())
    except (OSError, msgspec.DecodeError):
        return []


def _share(context: Context, request: Request) -> Response:
    """A link for others."""
    wanted = request.query_params.get("scope", VIEWER)
    if request.scope.get("state", {}).get("scope") != OPERATOR:
        return refusal(403, "Only who operates the app may share it.")
    if wanted not in (VIEWER, OPERATOR):
        return refusal(422, f"There is no scope {wanted!r}: share it with {VIEWER!r} or {OPERATOR!r}.")
    token = viewer_token(context.access) if wanted == VIEWER else context.access.operator
    url = f"{_seen_from_there(context, request)}/view?token={token}"
    return json_answer({"scope": wanted, "url": url}, headers={"Cache-Control": "no-store"})


def _seen_from_there(context: Context, request: Request) -> str:
    """Where the app is for whoever asks: behind a proxy it is somewhere else than the app itself knows."""
    headers = request.headers
    if not context.root_path and not came_through(headers) and is_loopback(name_of(headers.get("host", ""))):
        return context.address
    return f"{outer_scheme(request.scope['scheme'], headers)}://{headers.get('host')}{context.root_path}"
