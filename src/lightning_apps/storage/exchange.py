"""Hands content to whoever knows the run's token and asks for it by its hash, and keeps the table of names for works on other machines.

A server of threads, one a connection.  Both sides show that they know the token (HMAC-SHA256, RFC 2104, over two numbers used once)
before anything is said; what is asked for is known by its hash, so a wrong answer is noticed.  Between machines each exchange has a
key of its own, and its address names the certificate to look for ("host:port#fingerprint").  Knows nothing of works.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from ..base import certificate, fingerprint
from ..base.errors import (
    AlreadyThere,
    ContentDamaged,
    NotFound,
    OutsideFolder,
    ProtocolError,
    StorageError,
    Unreachable,
)
from .copying import PORTION, write_at
from .names import Entry, Names
from .store import Store
from .streams import Encrypted, Stream, exactly, receive, send

if TYPE_CHECKING:
    import ssl

PATIENCE = 30.0  # seconds for whoever is on the other side to go on
CALLERS = 512  # at once
NONCE = 16
ANSWERS: dict[str, type[StorageError]] = {
    kind.__name__: kind for kind in (AlreadyThere, ContentDamaged, NotFound, OutsideFolder, Unreachable)
}


def seal(token: bytes, side: bytes, *nonces: bytes) -> bytes:
    """Shows that this side knows the token, in this conversation."""
    return hmac.digest(token, side + b"".join(nonces), "sha256")


class Tls(NamedTuple):
    """What an exchange shows to those who call it, and the fingerprint that its address tells them."""

    context: ssl.SSLContext
    fingerprint: str


def own_tls() -> Tls:
    """With a key that was just made, and stays in this process.

    Raises:
        MissingExtra: what makes one is not installed.
    """
    pem = certificate.make()
    return Tls(certificate.listening_with(pem), fingerprint.of(pem.decode("ascii")))


def _none(name: str) -> str | None:
    """Nothing is offered but what is in the store."""
    return None


def _silent(count: int) -> None:
    """Nobody watches."""


class Exchange:
    """Listens until closed.

    Args:
        store: what is handed out.
        token: whoever knows it may ask.
        names: the table, where this is the run's own; None in a work's process.
        host: address to listen on, and `port`; 0 picks one.
        tls: where connections are to be encrypted.
        announced: told of each entry that comes in, with the addresses of who has its content.
        offers: where content lies that is not in the store; None for a name that is offered by nobody.
        sent: told of bytes that have gone out.
        answers: says what is asked about other things, by the first word of the question.
    """

    def __init__(
        self,
        store: Store,
        token: bytes,
        names: Names | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: Tls | None = None,
        announced: Callable[[str, Entry], None] | None = None,
        offers: Callable[[str], str | None] = _none,
        sent: Callable[[int], None] = _silent,
        answers: dict[str, Callable[[str, list[Any]], Any]] | None = None,
    ) -> None:
        if len(token) < NONCE:
            raise StorageError("An exchange needs a token of 16 bytes or more.")
        self._store, self._token, self._names, self._tls = store, token, names, tls
        self._announced, self._offers, self._sent, self._answers = announced, offers, sent, answers or {}
        self._server = socket.create_server((host, port))
        self.address = f"{host}:{self._server.getsockname()[1]}{f'#{tls.fingerprint}' if tls else ''}"
        self._callers: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="exchange", daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            with self._lock:
                full = len(self._callers) >= CALLERS
                if not full:
                    self._callers.add(sock)
            if full:
                sock.close()
                continue
            threading.Thread(target=self._serve, args=(sock,), name="exchange", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            stream = _stream(sock, PATIENCE, self._tls.context if self._tls else None, server=True)
            if self._knows_us(stream):
                while True:
                    self._answer(stream, receive(stream))
        except (OSError, ProtocolError):
            """It hung up, or is not worth an answer."""
        finally:
            with self._lock:
                self._callers.discard(sock)
            sock.close()

    def _knows_us(self, stream: Stream) -> bool:
        """Whether the caller knows the token; it has learned that we do as well, then."""
        ours = os.urandom(NONCE)
        stream.send(ours)
        theirs = exactly(stream, NONCE)
        if not hmac.compare_digest(exactly(stream, 32), seal(self._token, b"ask", ours, theirs)):
            return False
        stream.send(seal(self._token, b"answer", theirs, ours))
        return True

    def _answer(self, stream: Stream, question: Any) -> None:
        try:
            kind, *rest = question
            if kind == "read":
                self._send_content(stream, *rest)
            else:
                send(stream, ["ok", self._told(kind, rest)])
        except (StorageError, ValueError, TypeError, LookupError, msgspec.ValidationError) as error:
            send(stream, ["error", str(error), type(error).__name__])

    def _told(self, kind: str, rest: list[Any]) -> Any:
        if kind == "size":
            path = self._path(rest[0])
            return os.path.getsize(path) if os.path.exists(path) else None
        if kind in self._answers:
            return self._answers[kind](kind, rest)
        if self._names is None:
            raise StorageError("This is not where the names of the run are.")
        if kind == "get":
            return self._names.get(rest[0], rest[1])
        if kind == "put":
            entry = msgspec.convert(rest[1], Entry)
            self._names.put(str(rest[0]), entry)
            if self._announced is not None:
                self._announced(str(rest[0]), entry)
            return None
        if kind == "all":
            return self._names.all(rest[0])
        if kind == "homes":
            return self._homes(rest[0])
        raise StorageError(f"Nobody here knows what {kind!r} means.")

    def _homes(self, content: str) -> list[str]:
        """Whoever has handed this over, then all who have handed anything over: it may be part of a folder."""
        assert self._names is not None
        entries = [entry for work in self._names.works() for entry in self._names.all(work) if entry.homes]
        entries.sort(key=lambda entry: (entry.content != content, -entry.at))
        return list(dict.fromkeys(home for entry in entries for home in entry.homes))

    def _path(self, name: str) -> str:
        path = self._store.path(name)
        return path if os.path.exists(path) else self._offers(name) or path

    def _opened(self, name: str) -> BinaryIO:
        try:
            return open(self._path(name), "rb")
        except FileNotFoundError:
            raise NotFound(f"{name} is not here any more.") from None

    def _send_content(self, stream: Stream, name: str, start: int, size: int) -> None:
        with self._opened(name) as file:
            size = max(0, min(size, os.fstat(file.fileno()).st_size - start))
            send(stream, ["ok", size])
            if size:
                stream.send_file(file.fileno(), start, size)
                self._sent(size)

    def close(self) -> None:
        """Nobody is answered any more."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        with self._lock:
            callers = list(self._callers)
        for sock in callers:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Caller:
    """One connection to an exchange.

    Args:
        address: "host:port"; "host:port#fingerprint" where the connection is encrypted.
        token: of the run.

    Raises:
        ProtocolError: whoever answers does not know the token, or has another certificate.
        OSError: nobody answers.
    """

    def __init__(self, address: str, token: bytes, timeout: float = PATIENCE) -> None:
        where, _, wanted = address.partition("#")
        host, _, port = where.rpartition(":")
        sock = socket.create_connection((host, int(port)), timeout)
        try:
            self._stream = _stream(sock, timeout, fingerprint.calling() if wanted else None, server=False)
            if isinstance(self._stream, Encrypted):
                fingerprint.check(self._stream.tls, wanted)
            theirs, ours = exactly(self._stream, NONCE), os.urandom(NONCE)
            self._stream.send(ours + seal(token, b"ask", theirs, ours))
            if not hmac.compare_digest(exactly(self._stream, 32), seal(token, b"answer", ours, theirs)):
                raise ProtocolError(f"Whoever answers at {where} does not know the token of this run.")
        except BaseException:
            sock.close()
            raise

    def ask(self, *question: Any) -> Any:
        """What it answers.

        Raises:
            StorageError: it could not do what was asked; of the kind that it was there.
        """
        send(self._stream, question)
        state, value, *kind = receive(self._stream)
        if state != "ok":
            raise ANSWERS.get("".join(kind), StorageError)(str(value))
        return value

    def read_to(self, name: str, start: int, view: memoryview, target: int) -> int:
        """Have content from a place in it in memory, and in the same place of a file; how many bytes came."""
        size = int(self.ask("read", name, start, len(view)))
        for at in range(0, size, PORTION):
            part = view[at : min(size, at + PORTION)]
            self._stream.fill(part)
            write_at(target, part, start + at)
        return size

    def close(self) -> None:
        """Hang up."""
        self._stream.close()


def _stream(sock: socket.socket, patience: float, context: ssl.SSLContext | None, *, server: bool) -> Stream:
    return Stream(sock, patience) if context is None else Encrypted(sock, patience, context, server=server)
