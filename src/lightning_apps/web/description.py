"""What the app's HTTP interface is, as OpenAPI (`/openapi.json`), and a page that shows it (`/docs`) with nothing from elsewhere."""

from __future__ import annotations

import os
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from .. import __version__
from ..model.offer import Offer
from . import commands
from .answers import guarded, json_answer
from .context import Context

ASSETS = os.path.join(os.path.dirname(__file__), "assets")
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
ANY: dict[str, Any] = {}
OBJECT: dict[str, Any] = {"type": "object"}
TEXT: dict[str, Any] = {"type": "string"}
ERRORS = {
    401: "A token is needed",
    403: "Not allowed",
    404: "There is no such thing",
    409: "The state has changed since",
    413: "The body is too long",
    421: "The app does not answer to this name",
    422: "Something that cannot be used, in one sentence",
    503: "The app does not answer at the moment",
}
ALWAYS = (401, 403, 421)
PATCH = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "replace", "remove", "test", "copy", "move"]},
            "path": {"type": "string", "example": "/works/train/vars/lr"},
            "from": {"type": "string"},
            "value": ANY,
        },
    },
}
DELTA = {"type": "object", "required": ["delta"], "properties": {"delta": OBJECT}}
STATE = {"type": "object", "properties": {"state": OBJECT, "stage": {"enum": ["running"]}}}
COMPONENT = {"name": "component", "in": "path", "required": True, "schema": {"type": "string", "example": "root.train"}}


def routes(context: Context) -> list[BaseRoute]:
    """`/openapi.json` and `/docs`."""
    guard = guarded(context.log, context.debug)

    async def openapi(request: Request) -> Response:
        return json_answer(await description(context))

    async def docs(request: Request) -> Response:
        path = os.path.join(ASSETS, "docs.html")
        with open(path, encoding="utf-8") as file:
            return HTMLResponse(file.read(), headers={"Content-Security-Policy": POLICY})

    async def asset(request: Request) -> Response:
        kinds = {"docs.js": "text/javascript", "docs.css": "text/css"}
        name = request.path_params["name"]
        if name not in kinds:
            return json_answer({"detail": "Not found"}, 404)
        with open(os.path.join(ASSETS, name), "rb") as file:
            return Response(file.read(), headers={"Cache-Control": "no-cache"}, media_type=kinds[name])

    async def redoc(request: Request) -> Response:
        return RedirectResponse("docs")

    return [
        Route("/openapi.json", guard(openapi)),
        Route("/docs", docs),
        Route("/docs/{name}", asset),
        Route("/redoc", redoc),
    ]


async def description(context: Context) -> dict[str, Any]:
    """Everything that is served, what the app's author declared as well."""
    info = context.app.info
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": getattr(info, "title", None) or "Lightning App", "version": __version__},
        "servers": [{"url": context.root_path or "/"}],
        "paths": own_paths("keep_upload" in context.extra),
        "components": {"schemas": {"Problem": {"type": "object", "properties": {"detail": TEXT}}}},
    }
    for more in await _authors(context):
        document["paths"].update(more.get("paths", {}))
        for section, entries in more.get("components", {}).items():
            document["components"].setdefault(section, {}).update(entries)
    return document


async def _authors(context: Context) -> list[dict[str, Any]]:
    """What the app's author declared."""
    offer: Offer = context.extra.get("offer", Offer())
    own = context.extra.get("user_routes")
    return [commands.openapi(offer.commands), *([await own.openapi()] if own is not None else [])]


def own_paths(uploads: bool = True) -> dict[str, Any]:
    """What every app serves."""
    match = {
        "name": "If-Match",
        "in": "header",
        "schema": TEXT,
        "description": "The ETag of the state that this goes by.",
    }
    paths = {
        "/api/v1/state": {
            "get": _operation("The whole state", ANY, (304,)),
            "post": _operation("Set what differs from the state that was read", ANY, (409, 413, 422, 503), STATE),
            "patch": _operation("Change the state by a JSON Patch", OBJECT, (409, 413, 422, 503), PATCH, [match]),
        },
        "/api/v1/state/{component}": {
            "get": _operation("The state of one component", OBJECT, (304, 404), None, [COMPONENT])
        },
        "/api/v1/delta": {
            "post": _operation("Change the state as the older framework did", ANY, (409, 413, 422, 503), DELTA)
        },
        "/api/v1/layout": {"get": _operation("The tabs of the page: a text that holds JSON", TEXT)},
        "/api/v1/spec": {"get": _operation("What the app is made of", {"type": "array", "items": OBJECT})},
        "/api/v1/status": {"get": _operation("The statuses of all works", OBJECT, (503,))},
        "/api/v1/annotations": {"get": _operation("What lightning-annotations.json holds", ANY)},
        "/api/v1/share": {"get": _operation("A link for others", OBJECT, (422,), None, [_query("scope", TEXT)])},
        "/api/v1/logs": {"get": _logs()},
        "/healthz": {"get": _operation("Whether the app lives", OBJECT, (500,))},
        "/metrics": {"get": _operation("Numbers for Prometheus", TEXT, kind="text/plain")},
    }
    if uploads:
        name = {"name": "filename", "in": "path", "required": True, "schema": TEXT}
        upload = _operation("Send a file to the drive lit://uploaded_files", TEXT, (413, 422, 503), None, [name])
        binary = {"schema": {"type": "string", "format": "binary"}}
        form = {"schema": {"type": "object", "properties": {"uploaded_file": {"type": "string", "format": "binary"}}}}
        upload["requestBody"] = {"content": {"application/octet-stream": binary, "multipart/form-data": form}}
        paths["/api/v1/upload_file/{filename}"] = {"put": upload}
    return paths


def _logs() -> dict[str, Any]:
    size = {"type": "integer", "minimum": 0}
    parameters = [
        _query("component", {"type": "array", "items": TEXT}),
        _query("from", TEXT),
        _query("tail", size),
    ]
    follow = _query("follow", {"enum": ["true", "false"]})
    return _operation(
        "What works print, as server-sent events", TEXT, (404, 503), None, [*parameters, follow], "text/event-stream"
    )


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _operation(
    summary: str,
    answer: dict[str, Any],
    errors: tuple[int, ...] = (),
    body: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    kind: str = "application/json",
) -> dict[str, Any]:
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses: dict[str, Any] = {"200": {"description": "Done", "content": {kind: {"schema": answer}}}}
    for code in (*errors, *ALWAYS):
        told = {"description": ERRORS.get(code, "Failed"), "content": problem}
        responses[str(code)] = {"description": "Not modified"} if code == 304 else told
    operation: dict[str, Any] = {"summary": summary, "tags": ["app"], "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation
