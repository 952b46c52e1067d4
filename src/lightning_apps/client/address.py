"""Where an app is: its URL and what lets one in.  Knows nothing of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ..base.errors import UsageError

if TYPE_CHECKING:
    import ssl

PORT = 7501
END = "-----END CERTIFICATE-----"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class BadAddress(UsageError, ValueError):
    """No URL of an app."""


class Address(msgspec.Struct, frozen=True):
    """Where an app is.

    Attributes:
        scheme: "http" or "https".
        host, port: of the server.
        path: what stands before its own paths, where a proxy is in front: "" or "/apps/mine".
        token: what lets one in; "": nothing.
        certificate: file of the one certificate that the app shows; "": one that this machine trusts anyhow.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    token: str = ""
    certificate: str = ""

    @property
    def authority(self) -> str:
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The app's URL, without a token."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def websocket(self) -> str:
        """The same for WebSockets."""
        return f"{'wss' if self.scheme == 'https' else 'ws'}://{self.authority}{self.path}"

    @property
    def is_loopback(self) -> bool:
        """Whether it never leaves this machine (a tunnel may begin there)."""
        return self.host in LOOPBACK or self.host.startswith("127.")

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def context(self) -> ssl.SSLContext | None:
        """How HTTPS is spoken there; None for HTTP."""
        import ssl  # takes a while, so only now

        if self.scheme != "https":
            return None
        if not self.certificate:
            return ssl.create_default_context()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # it may be of any name: it is this very certificate or nothing
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=_first(self.certificate))
        return context

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


def parse(text: str, token: str = "", port: int | None = None, certificate: str = "") -> Address:
    """An address from a URL, a host, or "localhost".

    Args:
        text: such as "http://127.0.0.1:7501", "myhost:7501", "https://example.org/apps/mine?token=…".
        token: comes before one in the URL.
        certificate: see `Address`.
        port: where the URL has none; without, 7501 on this machine and on hosts without a scheme.

    Raises:
        BadAddress: it is none.
    """
    from urllib.parse import parse_qs, urlsplit  # takes a while, so only now

    whole = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(whole)
        host, own = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or set(host) & set(" \\@"):
        raise BadAddress(f"{shown(text)!r} is no URL of an app: write it like http://127.0.0.1:{PORT}.")
    usual = 443 if parts.scheme == "https" else 80
    if own is None and ("://" not in text or _loops(host)):
        usual = PORT
    query = parse_qs(parts.query)
    chosen = token or query.get("token", [""])[-1]
    return Address(parts.scheme, host, own or port or usual, _prefix(parts.path), chosen, certificate)


def shown(text: Any) -> str:
    """A URL that may be said: what comes after a `?` may be a token."""
    return str(text).partition("?")[0]


def _first(path: str) -> str:
    """A server's own certificate comes first in its file; what signed it would vouch for others as well."""
    try:
        with open(path, encoding="ascii") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise BadAddress(f"The certificate {path} of the app cannot be read: {error}.") from None
    return text[: text.find(END) + len(END)] + "\n"


def _loops(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")


def _prefix(path: str) -> str:
    """People copy the address of the page."""
    trimmed = path.rstrip("/")
    return trimmed.removesuffix("/view").rstrip("/")
