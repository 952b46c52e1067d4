"""Decides who may enter, from what a request says of itself.  Pure: no sockets, no clock, no framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


class Access(NamedTuple):
    """The rules of one server.

    Attributes:
        host: the address it is bound to.
    """

    host: str = "127.0.0.1"


class Verdict(NamedTuple):
    """`status` 0 lets a request in; else it is the answer's, and `reason` a sentence for whoever asked."""

    status: int = 0
    reason: str = ""


WELCOME = Verdict()


def decide(access: Access, scheme: str, method: str, headers: Mapping[str, str]) -> Verdict:
    """Whether a request may enter.

    Args:
        scheme: "http", "https", "ws" or "wss".
        headers: by lower-case name.
    """
    host = headers.get("host", "")
    if name_of(host) not in LOOPBACK:
        return Verdict(421, f"This server is not {host!r}: it answers to localhost.")
    origin = headers.get("origin")
    if origin is not None and not same_origin(origin, scheme, host):
        return Verdict(403, f"A page of {origin} may not use this app.")
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not _visits(method, headers):
        return Verdict(403, "A page of another site may not use this app.")
    return WELCOME


def _visits(method: str, headers: Mapping[str, str]) -> bool:
    """Whether somebody follows a link here, in the browser's own window."""
    return (
        method == "GET" and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )


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
