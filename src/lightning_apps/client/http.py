"""Requests to an app: one connection that is kept, JSON both ways.  Knows no routes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ..base.errors import LightningError
from .address import Address

if TYPE_CHECKING:
    import http.client

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
LIMIT = 1 << 30  # bytes of an answer


class NoAnswer(LightningError, ConnectionError):
    """Nobody answers at this address, or the connection broke."""


class Answer(msgspec.Struct, frozen=True):
    """What came back.

    Attributes:
        status: of HTTP.
        headers: by name in small letters.
        body: the bytes.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            NoAnswer: it is none, so whoever answered is no app.
        """
        try:
            return msgspec.json.decode(self.body or b"null")
        except msgspec.DecodeError:
            raise NoAnswer("What answered is no app: it does not speak JSON.") from None

    @property
    def detail(self) -> Any:
        """What an app says about a request that it refused."""
        try:
            said = self.json()
        except NoAnswer:
            return self.body[:200].decode(errors="replace")
        return said.get("detail", said.get("reason", said)) if isinstance(said, dict) else said


class Http:
    """One kept connection to an app; may be used from several threads, one request at a time.

    Args:
        address: of the app.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, address: Address, timeout: float = 35.0) -> None:
        self.address, self._timeout = address, timeout
        self._lock = threading.Lock()
        self._kept: http.client.HTTPConnection | None = None

    def ask(self, verb: str, path: str, value: Any = msgspec.UNSET, headers: Mapping[str, str] | None = None) -> Answer:
        """What the app answers.

        Args:
            verb: such as "GET".
            path: below the app's URL, with its query.
            value: sent as JSON; UNSET: nothing is.
            headers: besides the usual ones.

        Raises:
            NoAnswer: nobody answers.
        """
        from http.client import HTTPException  # takes a while, so only now

        body = None if value is msgspec.UNSET else msgspec.json.encode(value, enc_hook=plainly)
        sent = {**self.address.headers, **(JSON if body is not None else {}), **(headers or {})}
        with self._lock:
            try:
                return self._exchange(verb, self.address.path + path, body, sent)
            except (OSError, HTTPException) as error:
                self._drop()
                raise NoAnswer(
                    f"Nobody answers at {self.address.url}: {error or type(error).__name__}. Is the app running?"
                ) from None

    def _exchange(self, verb: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        reused = self._kept is not None
        try:
            return self._once(verb, path, body, headers)
        except (ConnectionResetError, BrokenPipeError):  # RemoteDisconnected is one
            if not reused:
                raise
            self._drop()  # a server hangs up on connections that were idle
            return self._once(verb, path, body, headers)

    def _once(self, verb: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        kept = self._kept = self._kept or self._connection()
        kept.request(verb, path, body, headers)
        answer = kept.getresponse()
        data = answer.read(LIMIT)
        if answer.will_close:
            self._drop()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, data)

    def _connection(self) -> http.client.HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        host, port = self.address.host, self.address.port
        if (context := self.address.context()) is not None:
            return HTTPSConnection(host, port, timeout=self._timeout, context=context)
        return HTTPConnection(host, port, timeout=self._timeout)

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self._kept = None

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._drop()


def plainly(value: Any) -> Any:
    """Values that JSON has no word for, as those it has: pydantic models, numpy's arrays and numbers."""
    for name, options in (("model_dump", {"mode": "json"}), ("dict", {}), ("tolist", {}), ("to_dict", {})):
        if callable(say := getattr(value, name, None)):
            return say(**options)
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} cannot be sent as JSON")
