"""Where workers dial in: admits one link per place, by its token, and turns what they say into events."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
from collections.abc import Callable

import msgspec

from ..base.errors import ProtocolError
from ..base.messages import (
    OLDEST,
    PROTOCOL,
    Acknowledged,
    Attached,
    Detached,
    Got,
    Hello,
    Moved,
    Received,
    Rejected,
    Report,
    Said,
    ToWorker,
    Transfer,
    Transferred,
    Welcome,
)  # fmt: skip
from . import codec
from .link import Link, listen
from .pump import Pump
from .tls import TlsSocket

Secure = Callable[[socket.socket], TlsSocket]

ACKNOWLEDGE_FRAMES, ACKNOWLEDGE_BYTES = 64, 1 << 16
STRANGERS = 64  # connections that may be open without having said who they are
PATIENCE = 10.0  # seconds for the first words
HANDSHAKE_LIMIT = 1 << 16


class Admitted:
    """A worker's link, and how much of what it said is acknowledged."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.acknowledged = self.recorded = 0
        self.unacknowledged_bytes = 0


class Hub:
    """Listens at `address`.

    Args:
        address: "unix:/path", "tcp:127.0.0.1:0" or "tls:address:port#fingerprint".
        pump: polls for it.
        report: is given every event, in order, on the pump's polling thread.
        secret: of the run; tokens are made from it, so that a later host of the run knows them.
        generation: of this host within the run; only grows.
        secure: makes a connection that was accepted a secure one, where the address asks for that.

    Attributes:
        complete: whether all who are expected are known, so that whoever else comes with a token is an attempt that is over.
    """

    def __init__(
        self,
        address: str,
        pump: Pump,
        report: Callable[[Report], None],
        secret: bytes,
        generation: int = 1,
        secure: Secure | None = None,
    ) -> None:
        self._secure = secure
        self._pump, self._report, self._secret, self._generation = pump, report, secret, generation
        self._server, self.address = listen(address)
        self._expected: set[str] = set()
        self.complete = False
        self._admitted: dict[str, Admitted] = {}
        self._strangers: dict[int, Link] = {}
        self._numbers = 0
        pump.watch(self._server.fileno(), self._accept)

    # -- who may come ------------------------------------------------------------------------------------

    def expect(self, place: str) -> str:
        """The token that admits the worker of this place (HMAC-SHA256, RFC 2104)."""
        self._expected.add(place)
        return self._token(place)

    def _token(self, place: str) -> str:
        return hmac.new(self._secret, place.encode(), hashlib.sha256).hexdigest()

    def dismiss(self, place: str) -> None:
        """Its token is void, its link is closed."""
        self._expected.discard(place)
        admitted = self._admitted.pop(place, None)
        if admitted is not None:
            admitted.link.close()

    def may_still_hear(self, place: str) -> bool:
        """Whether what a process said last may not have arrived: its link is between machines, and its end was not read."""
        return self._secure is not None and place in self._admitted

    def finish(self, place: str) -> None:
        """The process there has ended: hear its last words, then close.  On the pump's polling thread only."""
        admitted = self._admitted.get(place)
        if admitted is not None:
            admitted.link.exhaust()
        self.dismiss(place)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except (BlockingIOError, OSError):
                return
            if len(self._strangers) >= STRANGERS:
                sock.close()
                continue
            self._greet(sock if self._secure is None else self._secure(sock))

    def _greet(self, sock: socket.socket | TlsSocket) -> None:
        self._numbers += 1
        number = self._numbers
        name: list[str] = []

        def on_frame(offset: int, payload: bytes) -> None:
            if name:
                self._said(name[0], offset, payload)
            elif place := self._admit(number, payload):
                name.append(place)

        def on_end() -> None:
            self._strangers.pop(number, None)
            if name and self._admitted.get(name[0]) is not None and self._admitted[name[0]].link is link:
                del self._admitted[name[0]]
                self._report(Detached(name[0]))

        link = Link(sock, self._pump, on_frame, on_end)
        link._frames.limit = HANDSHAKE_LIMIT
        self._strangers[number] = link
        self._pump.alarm(f"stranger {number}", PATIENCE, lambda: self._turn_away(number))

    def _turn_away(self, number: int) -> None:
        link = self._strangers.pop(number, None)
        if link is not None:
            link.close()

    def _admit(self, number: int, payload: bytes) -> str:
        """The place of the worker that said this, or "" if it is not let in."""
        link = self._strangers.pop(number)
        self._pump.alarm(f"stranger {number}", None, lambda: None)
        hello = _hello(payload)
        if hello is None or not self._has_token(hello) or hello.generation > self._generation:
            link.close()
            return ""
        if hello.place not in self._expected:
            if not self.complete:
                link.close()  # let it try again
                return ""
            link.send(codec.frame(codec.dump(Rejected("this attempt is over: another may have taken its place"))))
            link.close()
            return ""
        if not OLDEST <= hello.protocol <= PROTOCOL:
            link.send(
                codec.frame(
                    codec.dump(Rejected(f"the host speaks version {PROTOCOL}, this worker version {hello.protocol}"))
                )
            )
            link.close()
            return ""
        earlier = self._admitted.pop(hello.place, None)
        if earlier is not None:
            earlier.link.close()
        link._frames.limit = codec.LIMIT
        self._admitted[hello.place] = Admitted(link)
        self._report(Attached(hello.place, hello.pid, hello.received, hello.attempt))
        return hello.place

    def _has_token(self, hello: Hello) -> bool:
        return hmac.compare_digest(self._token(hello.place), hello.token)

    # -- conversation ------------------------------------------------------------------------------------

    def _said(self, place: str, offset: int, payload: bytes) -> None:
        try:
            message = codec.load_from_worker(payload)
        except ProtocolError:
            self.dismiss(place)
            self._report(Detached(place))
            return
        if isinstance(message, Received):
            self._report(Got(place, message.version))
        elif isinstance(message, Transfer):
            self._report(Transferred(place, message))
        else:
            self._report(Said(place, offset, message, payload))

    def send(self, place: str, message: ToWorker) -> None:
        """Say something to the worker there; nothing happens if it is not attached."""
        admitted = self._admitted.get(place)
        if admitted is None:
            return
        if isinstance(message, Welcome):
            message = msgspec.structs.replace(message, generation=self._generation)
        admitted.link.send(codec.frame(codec.dump(message)))

    def recorded(self, event: Said) -> None:
        """What was said is in the journal; the worker is told so now and then, and after each call."""
        admitted = self._admitted.get(event.place)
        if admitted is None:
            return
        admitted.recorded = event.offset
        admitted.unacknowledged_bytes += len(event.raw)
        if (
            event.offset - admitted.acknowledged >= ACKNOWLEDGE_FRAMES
            or admitted.unacknowledged_bytes >= ACKNOWLEDGE_BYTES
            or isinstance(event.message, Moved)
        ):
            admitted.acknowledged, admitted.unacknowledged_bytes = event.offset, 0
            admitted.link.send(codec.frame(codec.dump(Acknowledged(event.offset))))

    def close(self) -> None:
        """Nobody is let in any more; all links are closed."""
        self._pump.forget(self._server.fileno())
        self._server.close()
        if self.address.startswith("unix:"):
            try:
                os.unlink(self.address.partition(":")[2])
            except OSError:
                """Somebody tidied up."""
        for link in [*self._strangers.values(), *(admitted.link for admitted in self._admitted.values())]:
            link.close()
        self._admitted.clear()


def _hello(payload: bytes) -> Hello | None:
    try:
        message = codec.load_from_worker(payload)
    except ProtocolError:
        return None
    return message if isinstance(message, Hello) else None
