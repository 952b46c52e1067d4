"""What of a request goes on to a server inside, and what of its answer comes out.  Pure: headers in, headers out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..base.errors import LightningError

Headers = Iterable[tuple[bytes, bytes]]
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer trailers "
    b"transfer-encoding upgrade".split()
)
OURS = frozenset(
    b"expect forwarded x-lightning-scope x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-prefix x-forwarded-port".split()
)
UNSAID_INSIDE = HOP_BY_HOP | OURS
TRUSTED = frozenset(b"host cookie authorization content-length content-type".split())  # read as true inside
UNSAID_OUTSIDE = HOP_BY_HOP | frozenset(b"alt-svc service-worker-allowed".split())
LOCAL_NAMES = ("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "::1")


class Smuggled(LightningError):
    """A request whose end, or whose headers, could be read in two ways."""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """The way to one server inside.

    Attributes:
        address: "unix:/path" or "host:port".
        base: the path it is found under outside, such as "/f/root.page"; no slash at the end.
        inside: the path it is found under inside: its base too where it was told, "" where it knows of none.
        names: "host:port" by which its own links may call it.
    """

    address: str
    base: str
    inside: str = ""
    names: tuple[str, ...] = ()


class Secrets(msgspec.Struct, frozen=True):
    """What is the app's own and is not told to servers inside.

    Attributes:
        cookies: names of cookies.
        bearer: whether `Authorization: Bearer` opens the app.
        query: names of parameters that carry a token.
    """

    cookies: frozenset[str] = frozenset()
    bearer: bool = False
    query: frozenset[str] = frozenset()


class Framing(msgspec.Struct, frozen=True):
    """How long the body of a request is: `length` bytes, or `chunked`, or neither, which is no body."""

    length: int | None = None
    chunked: bool = False


def framing(headers: Headers) -> Framing:
    """How the body of this request ends.

    Raises:
        Smuggled: there are two opinions on it.
    """
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings:
        if lengths or codings != [b"chunked"]:
            raise Smuggled("The request gives two opinions on its length, or a coding that is not known.")
        return Framing(chunked=True)
    if not lengths:
        return Framing()
    if len(set(lengths)) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
        raise Smuggled("The request gives a length that is no number.")
    return Framing(int(lengths[0]))


def target(scope: dict[str, Any], door: Door, rest: bytes, secrets: Secrets) -> bytes:
    """Path and query for the server inside; `rest` is the raw path behind the door's base, beginning with a slash."""
    path = door.inside.encode() + rest
    query = _without(scope.get("query_string", b""), secrets.query)
    return path + b"?" + query if query else path


def request_head(scope: dict[str, Any], door: Door, where: bytes, frame: Framing, secrets: Secrets) -> bytes:
    """The request as it is sent inside.

    Raises:
        Smuggled: a header holds the end of a line.
    """
    lines = [scope["method"].encode() + b" " + where + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in inward(scope, door, secrets)]
    if frame.chunked:
        lines.append(b"transfer-encoding: chunked")
    head = b"\r\n".join(lines)
    ends = len(lines) - 1
    if head.count(b"\r") != ends or head.count(b"\n") != ends or b"\0" in head or where.count(b" "):
        raise Smuggled("A header of the request holds the end of a line.")
    return head + b"\r\n\r\n"


def inward(scope: dict[str, Any], door: Door, secrets: Secrets) -> list[tuple[bytes, bytes]]:
    """The headers of a request (or of the start of a WebSocket) for the server inside."""
    given = scope["headers"]
    unsaid = UNSAID_INSIDE | _named_by_connection(given)
    kept, host, came_from = [], b"", []
    proto = {"ws": b"http", "wss": b"https"}.get(scope["scheme"], scope["scheme"].encode())
    for name, value in given:
        if b"_" in name and name.replace(b"_", b"-") in unsaid | TRUSTED:
            continue  # many servers read both spellings as one
        if name == b"host":
            host = value
        elif name == b"x-forwarded-proto" and value in (b"http", b"https"):
            proto = value  # a proxy in front may speak HTTPS for us
        elif name == b"x-forwarded-for":
            came_from.append(value)
        elif name == b"cookie":
            if value := _cookies_without(value, secrets.cookies):
                kept.append((name, value))
        elif name in unsaid or (name == b"authorization" and secrets.bearer and value[:7].lower() == b"bearer "):
            continue
        else:
            kept.append((name, value))
    if scope.get("client"):
        came_from.append(scope["client"][0].encode())
    said = [(b"host", host or b"localhost"), (b"x-forwarded-proto", proto), (b"x-forwarded-host", host)]
    said += [(b"x-forwarded-for", b", ".join(came_from)), (b"x-forwarded-prefix", door.base.encode())]
    said.append((b"x-lightning-scope", str(scope.get("state", {}).get("scope", "")).encode()))
    return [*((name, value) for name, value in said if value), *kept]


def outward(
    status: int, headers: Headers, scope: dict[str, Any], door: Door, secrets: Secrets
) -> list[tuple[bytes, bytes]]:
    """The headers of an answer as they go out."""
    headers = list(headers)
    unsaid = UNSAID_OUTSIDE | _named_by_connection(headers)
    said = []
    for name, value in headers:
        if name in unsaid or (name == b"content-length" and status in (204, 304)):
            continue
        if name in (b"location", b"content-location"):
            said.append((name, _location(value, scope, door)))
        elif name == b"set-cookie":
            if cookie := _cookie(value, door, secrets.cookies):
                said.append((name, cookie))
        else:
            said.append((name, value))
    return said


def _named_by_connection(headers: Headers) -> set[bytes]:
    """The headers that a `Connection` header says are for this hop only."""
    named: set[bytes] = set()
    for name, value in headers:
        if name == b"connection":
            named.update(word.strip().lower() for word in value.split(b","))
    return named - {b"host", b"content-length", b"cookie", b"authorization"}


def _cookies_without(value: bytes, names: Collection[str]) -> bytes:
    if not names:
        return value
    pairs = [pair.strip() for pair in value.split(b";")]
    return b"; ".join(pair for pair in pairs if pair and pair.split(b"=")[0].strip().decode("latin-1") not in names)


def _without(query: bytes, names: Collection[str]) -> bytes:
    if not any(name.encode() in query for name in names):
        return query
    return b"&".join(part for part in query.split(b"&") if part.split(b"=")[0].decode("latin-1") not in names)


def _location(value: bytes, scope: dict[str, Any], door: Door) -> bytes:
    """A link of the server inside, as it is called outside; links to elsewhere stay as they are."""
    try:
        parts = urlsplit(value.decode("latin-1"))
    except ValueError:
        return value
    host = next((v.decode("latin-1") for n, v in scope["headers"] if n == b"host"), "")
    if parts.netloc and parts.netloc not in (*door.names, host):
        return value
    if not parts.netloc and not parts.path.startswith("/"):
        return value
    path = under(parts.path or "/", door)
    tail = f"?{parts.query}" if parts.query else ""
    tail += f"#{parts.fragment}" if parts.fragment else ""
    return (path + tail).encode("latin-1")


def under(path: str, door: Door) -> str:
    """An absolute path of the server inside, as it is called outside."""
    if path == door.base or path.startswith(door.base + "/"):
        return path
    if door.inside and (path == door.inside or path.startswith(door.inside + "/")):
        path = path[len(door.inside) :] or "/"
    return door.base + path


def _cookie(value: bytes, door: Door, names: Collection[str]) -> bytes | None:
    """A cookie, held to the paths of its door; None for one that has the name of ours."""
    first, *attributes = value.decode("latin-1").split(";")
    if first.partition("=")[0].strip() in names:
        return None
    kept = [first.strip()]
    for attribute in map(str.strip, attributes):
        key, _, said = attribute.partition("=")
        if key.lower() == "domain":
            continue
        kept.append(f"{key}={under(said, door)}" if key.lower() == "path" and said.startswith("/") else attribute)
    return "; ".join(kept).encode("latin-1")
