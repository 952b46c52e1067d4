"""Who may enter a run's web, from settings and the run's secret: rules, tokens, and the links that hold them.  Serves nothing."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from ..base.errors import UsageError
from ..base.settings import Settings
from ..web.access import Access, is_loopback, name_of, operator_token, viewer_token
from .run_folder import RunFolder

TOKEN = "LIGHTNING_APP_TOKEN"
SHORTEST = 16
OPENING = "open.html"
EVERYWHERE = ("0.0.0.0", "", "::")


class Links(NamedTuple):
    """Where people find an app.

    Attributes:
        address: "http://127.0.0.1:7501", for programs.
        operator: to do everything with it.
        viewer: to look at it only; "" where whoever comes may do everything.
        elsewhere: how others find it, as a sentence with the operator's link; "" if only this machine does.
    """

    address: str
    operator: str
    viewer: str
    elsewhere: str = ""


def access_of(settings: Settings, folder: RunFolder, port: int, root_path: str = "") -> Access:
    """The rules of a run's server.

    Where a proxy is said to be in front, everybody needs a token: many proxies say nothing of whom they ask for.

    Raises:
        UsageError: the token that was given cannot be used.
    """
    given = dict(settings.secrets).get(TOKEN) or _from_file(settings.token_file)
    if given and (len(given) < SHORTEST or not given.isascii() or any(letter.isspace() for letter in given)):
        raise UsageError(f"The token has to have at least {SHORTEST} letters and digits, and no spaces.")
    key = given.encode() if given else folder.secret()
    allowed = [name.strip().lower() for name in (settings.allow_hosts or "").split(",") if name.strip()]
    beyond = not is_loopback(settings.host)
    return Access(
        operator=given or operator_token(key),
        key=key,
        everybody=beyond or bool(allowed or root_path),
        any_name=beyond,
        names=frozenset(map(name_of, allowed)),
        places=frozenset(allowed),
        cookie=f"lightning_{port}",
        basic=settings.basic_auth,
    )


def _from_file(path: str | None) -> str:
    if path is None:
        return ""
    try:
        with open(path) as file:
            found = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {path} cannot be read: {error}.") from None
    if not found:
        raise UsageError(f"--token-file {path} is empty.")
    return found


def check_certificate(settings: Settings) -> None:
    """Whether HTTPS is possible, if it is wanted.

    Raises:
        UsageError: it is not.
    """
    certificate, key = settings.tls_cert, settings.tls_key
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise UsageError("--tls-cert and --tls-key belong together: give both.")
    import ssl  # takes a while, and most runs have no certificate

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--tls-cert {certificate} and --tls-key {key} cannot be used: {error}.") from None


def links(settings: Settings, access: Access, port: int, root_path: str = "") -> Links:
    """Where the app is found."""
    scheme = "https" if settings.tls_cert else "http"
    address = f"{scheme}://{_shown(settings.host)}:{port}"
    if not access.everybody:
        return Links(address, f"{address}/view", "")
    view, look = f"/view?token={access.operator}", f"/view?token={viewer_token(access)}"
    outer = f"{scheme}://{socket.gethostname()}:{port}" if settings.host in EVERYWHERE else address
    elsewhere = f"From other machines: {outer}{view}" if outer != address else ""
    if names := sorted(access.places) or (["…"] if root_path else []):
        through = " or ".join(f"{name}{root_path}{view}" for name in names)
        elsewhere = f"Through the proxy in front of it: {through}"
    return Links(address, f"{address}{view}", f"{outer}{look}", elsewhere)


def to_open(folder: RunFolder, found: Links) -> str:
    """What a browser is given: other users of this machine see that, so a link with a token is inside a file of ours."""
    if not found.viewer:
        return found.operator
    path = os.path.join(folder.path, OPENING)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={found.operator}">')
    return f"file://{path}"


def _shown(host: str) -> str:
    """An address as it stands in a URL that this machine's browser can open."""
    if host in EVERYWHERE[:2]:
        return "127.0.0.1"
    return "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
