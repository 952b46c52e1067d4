"""The app's page at `/view`: plain files out of the wheel, and what its tabs have to know.  Knows nothing of the tabs' contents."""

from __future__ import annotations

import os
from html import escape
from string import Template
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from ..model.info import AppInfo
from .behind import Behind, Doors
from .context import Context
from .folder import Folder

FILES = os.path.join(os.path.dirname(__file__), "static")
ICON = "static/icon.svg"
# Nothing inline and nothing from elsewhere, but the tabs themselves; a work's own address is tried before its door is taken.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: http: https:; "
    "connect-src 'self' ws: wss: http://127.0.0.1:* http://localhost:* http://0.0.0.0:*; frame-src 'self' http: https:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def routes(context: Context) -> list[BaseRoute]:
    """`/`, `/view`, `/static/…` and `GET /api/v1/doors`."""
    doors = context.extra.get("doors")
    known: Doors = doors if isinstance(doors, Doors) else Doors()

    async def view(request: Request) -> Response:
        headers = {"content-security-policy": POLICY, "cache-control": "no-cache", "referrer-policy": "same-origin"}
        headers["x-content-type-options"] = "nosniff"
        return HTMLResponse(page(context.app.info, type(context.app.root).__name__), headers=headers)

    async def show_doors(request: Request) -> Response:
        return JSONResponse(
            {"version": known.version, "doors": {key: _told(each) for key, each in known.all().items()}}
        )

    return [
        Route("/", _to_view, include_in_schema=False),
        Route("/view", view, include_in_schema=False),
        Route("/view/{tab:path}", _to_tab, include_in_schema=False),
        Route("/api/v1/doors", show_doors),
        Mount("/static", app=Files(FILES)),
    ]


class Files:
    """The page's own files."""

    def __init__(self, path: str) -> None:
        self._folder = Folder(path)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._folder(scope, receive, send, b"/" + scope["path"].rpartition("/")[2].encode())


def page(info: AppInfo | None, root: str) -> str:
    """The HTML, introduced as the app wants it."""
    info = info if info is not None else AppInfo()
    title = info.title or root
    head = [f'<meta name="description" content="{escape(info.description)}">'] if info.description else []
    if info.image:
        head.append(f'<meta property="og:image" content="{escape(info.image)}">')
    head.append(f'<meta property="og:title" content="{escape(title)}">')
    head += info.meta_tags or []  # the author's own HTML
    with open(os.path.join(FILES, "index.html")) as file:
        text = Template(file.read())
    return text.substitute(title=escape(title), favicon=escape(info.favicon or ICON), head="\n".join(head))


def _told(behind: Behind) -> dict[str, Any]:
    url = (
        f"http://{behind.address}" if behind.ready and behind.address and not behind.address.startswith("unix:") else ""
    )
    return {"ready": behind.ready, "waits": behind.waits, "failed": behind.failed, "url": url}


async def _to_view(request: Request) -> Response:
    """Relative, as nobody knows what is in front of us."""
    return RedirectResponse("view", 307)


async def _to_tab(request: Request) -> Response:
    depth = request.path_params["tab"].count("/") + 1
    return RedirectResponse(f"{'../' * depth}view#{quote(request.path_params['tab'])}", 307)
