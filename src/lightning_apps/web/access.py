"""Decides who may enter, and to do what, from what a request says of itself.  Pure: no sockets, no clock, no framework.

On loopback programs enter freely, and so do pages that were served from here; pages of others do not (a browser says where a page
is from), nor does anybody under another name (a stranger's name may lead to this address).  Everywhere else, and for whatever came
through a proxy, a token has to be shown.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

LOOPBACK = re.compile(r"localhost|::1|127(\.[0-9]{1,3}){3}")
PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443"}
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.~-]+)?\]|[A-Za-z0-9._-]*)(:[0-9]{0,5})?")
FORWARDED = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-original-host")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
VIEWER, OPERATOR, COMPONENT = "viewer", "operator", "component"
TO_WATCH = ("/api/v1/stream", "/api/v1/ws")
INSIDE = ("/w/", "/api/v1/commands/")  # more than looking, whatever the method: servers of works, code of commands
DOORS, PAGES = ("/f/", "/w/"), "/f/"


class Access(NamedTuple):
    """The rules of one server.

    Attributes:
        operator: the token that lets in everywhere; "" for a server that has none.
        key: what other tokens are made from.
        everybody: whether a token is needed even on this machine.
        any_name: whether it is served by whatever name others have for it; they bring a token then.
        names: other names than loopback's under which this server is known, as behind a proxy.
        places: "name:port" of those whose pages come from no usual port.
        cookie: the name of the cookie that carries a token.
        asking: a port of this machine at which everybody needs a token: what comes there comes from other machines; 0: none.
        basic: "user:password", which is as good as the operator's token; "" for none.
    """

    operator: str = ""
    key: bytes = b""
    everybody: bool = False
    any_name: bool = False
    names: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    cookie: str = "lightning"
    asking: int = 0
    basic: str = ""


class Asking(NamedTuple):
    """What a request says of itself.

    Attributes:
        scheme: "http", "https", "ws" or "wss".
        path: without the prefix that a proxy in front adds.
        headers: by lower-case name.
        shown: a token that stands in the URL.
    """

    scheme: str
    method: str
    path: str
    headers: Mapping[str, str]
    shown: str = ""


class Verdict(NamedTuple):
    """`status` 0 lets a request in, as `scope`; else it is the answer's, and `reason` a sentence for whoever asked."""

    status: int = 0
    reason: str = ""
    scope: str = OPERATOR


WELCOME = Verdict()


def decide(access: Access, asking: Asking) -> Verdict:
    """Whether a request may enter."""
    headers = asking.headers
    host = headers.get("host", "")
    name = name_of(host)
    if HOST.fullmatch(host) is None:
        return Verdict(400, "The Host header of the request names no host.")
    local = is_loopback(name) and not came_through(headers)
    if not (access.any_name or name in access.names or is_loopback(name)):
        return Verdict(421, f"This app does not answer to the name {name!r}; --allow-host {name} says that it should.")
    if (stranger := _stranger(access, asking, host)) is not None:
        return Verdict(403, stranger)
    if local and not access.everybody and not access.basic:
        return WELCOME
    scope = scope_of(access, asking)
    if not scope:
        return Verdict(
            401, "This app is entered with a token: open the link that ends in ?token=…, or send it as a bearer token."
        )
    if not may(scope, asking):
        return Verdict(403, f"A token for a {scope} does not allow {asking.method} {asking.path}.", scope)
    return Verdict(scope=scope)


def _stranger(access: Access, asking: Asking, host: str) -> str | None:
    """Why a page of another site is turned away; None if it is no such page."""
    origin, said = asking.headers.get("origin"), asking.headers.get("sec-fetch-site", "none")
    if origin is not None:
        if said in ("none", "same-origin") and _ours(access, origin, asking, host):
            return None
        there = origin.partition("://")[2]
        way_out = (
            f"; --allow-host {there} says that it may"
            if name_of(there) in access.names or is_loopback(name_of(there))
            else ""
        )
        return f"A page of {origin[:200]} may not use this app{way_out}."
    if said in ("none", "same-origin") or _visits(asking):
        return None
    return "A page of another site may not use this app."


def _ours(access: Access, origin: str, asking: Asking, host: str) -> bool:
    """Whether this origin is ours: the very place that was asked, or one that a proxy shows us at."""
    if same_origin(origin, outer_scheme(asking.scheme, asking.headers), host):
        return True
    kind, _, there = origin.partition("://")
    if kind not in PORTS or HOST.fullmatch(there) is None:
        return False
    name, port = _with_port(there, kind)
    if f"{name}:{port}" in access.places:
        return True
    return name in access.names and port in (PORTS[kind], _with_port(host, kind)[1] if name_of(host) == name else "")


def is_loopback(name: str) -> bool:
    """Whether this name, or address, is this machine's alone, whatever a name server says."""
    return LOOPBACK.fullmatch(name) is not None


def came_through(headers: Mapping[str, str]) -> bool:
    """Whether a proxy says that it passes this on for somebody else."""
    return any(name in FORWARDED or name.startswith("x-forwarded-") for name in headers)


def outer_scheme(scheme: str, headers: Mapping[str, str]) -> str:
    """The scheme as browsers see it: a proxy may speak HTTPS for us.  No page can make others' browsers say this header."""
    secure = headers.get("x-forwarded-proto", "").lower() == "https"
    return {"http": "https", "ws": "wss"}.get(scheme, scheme) if secure else scheme


def _visits(asking: Asking) -> bool:
    """Whether somebody follows a link here, in the browser's own window."""
    to_look = asking.headers.get("sec-fetch-mode") == "navigate" and asking.headers.get("sec-fetch-dest") == "document"
    return asking.method == "GET" and to_look


# tokens -------------------------------------------------------------------------------------------------------


def scope_of(access: Access, asking: Asking) -> str:
    """What the token of a request allows; "" if it has none, or a wrong one."""
    kind, _, credential = asking.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic" and access.basic:
        wanted = base64.b64encode(access.basic.encode()).decode()
        return OPERATOR if same_text(credential.strip(), wanted) else ""
    if kind.lower() == "bearer":
        return scope_of_token(access, credential.strip())
    for token in (asking.shown, cookie_of(asking.headers.get("cookie", ""), access.cookie)):
        if token and (scope := scope_of_token(access, token)):
            return scope
    return ""


def scope_of_token(access: Access, token: str) -> str:
    """What a token allows; "" for a wrong one."""
    if not access.operator:
        return ""
    if same_text(token, access.operator):
        return OPERATOR
    if same_text(token, viewer_token(access)):
        return VIEWER
    kind, _, name = token.rpartition(".")[0].partition(".")
    return COMPONENT if kind == "c" and name and same_text(token, component_token(access, name)) else ""


def may(scope: str, asking: Asking) -> bool:
    """Whether a token of this scope is enough; which pages (`/f/`) a viewer may use, and how, the front door knows."""
    if scope == OPERATOR:
        return True
    if scope == COMPONENT:
        return not asking.path.startswith(DOORS)
    if asking.path.startswith(PAGES):
        return True
    if asking.scheme in ("ws", "wss"):
        return asking.path in TO_WATCH
    return asking.method in SAFE and not asking.path.startswith(INSIDE)


def viewer_token(access: Access) -> str:
    """Lets in whoever only looks."""
    return f"v.{_mark(access, 'viewer')}"


def component_token(access: Access, name: str) -> str:
    """Lets in one of the app's own works or frontends."""
    return f"c.{name}.{_mark(access, f'component {name}')}"


def operator_token(key: bytes) -> str:
    """The token of a server that was given none."""
    return _mark(Access(key=key), "operator")


def _mark(access: Access, what: str) -> str:
    digest = hmac.new(access.key, b"web " + what.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def same_text(left: str, right: str) -> bool:
    """Compared in a time that tells nothing of where they differ."""
    return hmac.compare_digest(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))


def cookie_of(header: str, name: str) -> str:
    """The value of one cookie."""
    for pair in header.split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return ""


def without_cookie(header: str, name: str) -> str:
    """A Cookie header without one of its cookies."""
    return "; ".join(
        pair.strip() for pair in header.split(";") if pair.strip().partition("=")[0] != name and pair.strip()
    )


# names and origins --------------------------------------------------------------------------------------------


def name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def same_origin(origin: str, scheme: str, host: str) -> bool:
    """Whether a page of `origin` was served from here: same scheme, name and port."""
    kind, _, there = origin.partition("://")
    secure = scheme in ("https", "wss")
    if kind != ("https" if secure else "http"):
        return False
    return _with_port(there, kind) == _with_port(host, kind)


def _with_port(host: str, scheme: str) -> tuple[str, str]:
    behind = host.rpartition("]")[2] if host.startswith("[") else host
    return name_of(host), behind.partition(":")[2] or PORTS[scheme]
