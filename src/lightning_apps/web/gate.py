"""Stands before every route: asks `access`, turns away whom it does not let in, and takes tokens off what it lets through."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from .access import Access, Asking, Verdict, cookie_of, decide, outer_scheme, scope_of_token, without_cookie
from .waiting import waiting

KNOWN = 512
QUIET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
FOR_PEOPLE = (
    "This app is entered with a token: open the link that ends in ?token=…, which is printed where the app is started."
)
TWO_HOSTS = Verdict(400, "The request names two hosts.")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>{head}
<body><p>{text}</p></body></html>"""


class Gate:
    """An ASGI application around all others.

    What is behind it sees no token of ours: not in headers, cookies or the URL.  `scope["state"]["scope"]` says what is allowed.

    Args:
        root_path: prefix under which a proxy in front shows this server; it may take it off, or leave it.
    """

    def __init__(self, app: ASGIApp, access: Access, root_path: str = "") -> None:
        self._app, self._access, self._root_path = app, access, root_path.rstrip("/")
        self._rules = {access.asking: access._replace(everybody=True)} if access.asking else {}
        self._known: dict[Any, str] = {}  # requests that were let in as they are, and what they may do

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = self._access
        if self._rules and (server := scope.get("server")):
            access = self._rules.get(server[1], access)
        same = None if scope["query_string"] or self._root_path or access is not self._access else _whole(scope)
        allowed = self._known.get(same)
        if allowed is not None:
            scope.setdefault("state", {})["scope"] = allowed
            await self._app(scope, receive, send)
            return
        path = self._place(scope)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        shown = _shown(scope["query_string"])
        asking = Asking(scope["scheme"], scope.get("method", "GET"), path, headers, shown)
        verdict = decide(access, asking) if _one_host(scope) else TWO_HOSTS
        if verdict.status:
            await self._turn_away(verdict, asking, scope, receive, send)
        elif shown and _in_a_window(asking) and scope_of_token(self._access, shown):
            await self._remember(shown, headers, scope, receive, send)
        else:
            if same is not None and not headers.keys() & {"authorization", "cookie"}:
                self._remember_that(same, verdict.scope)
            self._take_off(scope, headers, shown)
            scope.setdefault("state", {})["scope"] = verdict.scope
            await self._app(scope, receive, send)

    def _remember_that(self, request: Any, allowed: str) -> None:
        """Programs ask the same again and again, down to the last header."""
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[request] = allowed

    def _place(self, scope: Scope) -> str:
        """The path without the prefix; the scope has both."""
        path: str = scope["path"]
        prefix = self._root_path
        if not prefix:
            return path
        scope["root_path"] = prefix
        if path == prefix or path.startswith(f"{prefix}/"):
            return path[len(prefix) :] or "/"
        scope["path"] = prefix + path
        scope["raw_path"] = quote(prefix).encode() + scope.get("raw_path", path.encode())
        return path

    def _take_off(self, scope: Scope, headers: dict[str, str], shown: str) -> None:
        access = self._access
        if "authorization" in headers and _is_ours(access, headers["authorization"]):
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
        if cookie_of(headers.get("cookie", ""), access.cookie):
            left = without_cookie(headers["cookie"], access.cookie)
            others = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
            scope["headers"] = [*others, (b"cookie", left.encode("latin-1"))] if left else others
        if shown and scope_of_token(access, shown):
            scope["query_string"] = _without_token(scope["query_string"])

    async def _turn_away(self, verdict: Verdict, asking: Asking, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose(1008, verdict.reason[:120])(scope, receive, send)
            return
        headers = dict(QUIET)
        if verdict.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="app"' if self._access.basic else 'Bearer realm="app"'
        answer: Response = JSONResponse({"detail": verdict.reason}, verdict.status, headers)
        if "text/html" in asking.headers.get("accept", ""):
            answer = waiting(scope, "No entry", _for_people(verdict), again=False, status=verdict.status)
            answer.headers.update(headers)
        await answer(scope, receive, send)

    async def _remember(self, token: str, headers: dict[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        """Somebody came by a link with a token: from here on a cookie has it.

        Not by a redirection: browsers would not send this cookie along where the link was on a page of another site.
        """
        query = _without_token(scope["query_string"]).decode("latin-1")
        there = quote(scope["path"]) + (f"?{query}" if query else "")
        there = "/" + there.lstrip("/")  # never another site
        head = f'<meta http-equiv="refresh" content="0; url={html.escape(there)}">'
        text = f'<a href="{html.escape(there)}">Go on</a>'
        answer = HTMLResponse(_page("Welcome", text, head), headers=QUIET)
        secure = outer_scheme(scope["scheme"], headers) == "https"
        where = self._root_path or "/"
        answer.set_cookie(self._access.cookie, token, path=where, httponly=True, samesite="strict", secure=secure)
        await answer(scope, receive, send)


def _whole(scope: Scope) -> Any:
    """All that a decision goes by."""
    return scope["scheme"], scope.get("method", "GET"), scope["path"], tuple(scope["headers"])


def _for_people(verdict: Verdict) -> str:
    return FOR_PEOPLE if verdict.status == 401 else verdict.reason


def _one_host(scope: Scope) -> bool:
    return [name for name, _ in scope["headers"]].count(b"host") < 2


def _page(title: str, text: str, head: str = "") -> str:
    return PAGE.format(title=title, text=text, head=head)


def _in_a_window(asking: Asking) -> bool:
    """Whether a person's browser asks for a page."""
    mode = asking.headers.get("sec-fetch-mode", "navigate")
    html_wanted = "text/html" in asking.headers.get("accept", "")
    return asking.scheme in ("http", "https") and asking.method == "GET" and mode == "navigate" and html_wanted


def _is_ours(access: Access, authorization: str) -> bool:
    kind, _, credential = authorization.partition(" ")
    return bool(kind.lower() == "basic" and access.basic) or bool(scope_of_token(access, credential.strip()))


def _pairs(query: bytes) -> list[tuple[str, Any]]:
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def _shown(query: bytes) -> str:
    if b"token=" not in query:
        return ""
    return next((value for name, value in _pairs(query) if name == "token"), "")


def _without_token(query: bytes) -> bytes:
    return urlencode([pair for pair in _pairs(query) if pair[0] != "token"]).encode()
