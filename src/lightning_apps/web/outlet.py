"""Lends the socket of a client to whoever has the body of an answer in another socket.  Alone knows how uvicorn keeps count of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.types import Scope, Send

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
else:
    Base = object  # `lending` puts it there: httptools may be missing

NAME = "lightning_apps.outlet"  # among the scope's extensions


def outlet_of(scope: Scope) -> Outlet | None:
    """The way out of the answer to this request, if it can be lent."""
    found = scope.get("extensions", {}).get(NAME)
    return found if isinstance(found, Outlet) and found.open else None


def lending(base: type[Any]) -> type[Any]:
    """uvicorn's protocol for httptools, whose requests have an outlet."""
    return type("Lending", (Lending, base), {})


class Outlet:
    """One answer's way out.

    Args:
        protocol: uvicorn's, of the client's connection.
        scope: of the request.
    """

    def __init__(self, protocol: Any, scope: Any) -> None:
        self._protocol, self._scope = protocol, scope
        self._cycle: Any = None

    @property
    def open(self) -> bool:
        """Whether it can be lent: no encryption, and uvicorn's account of this answer as it is known here."""
        cycle, transport = self._protocol.cycle, self._protocol.transport
        if cycle is not None and cycle.scope is self._scope:  # else another request has come behind this one
            self._cycle = cycle
        return bool(
            isinstance(getattr(self._cycle, "expected_content_length", None), int)
            and transport.get_extra_info("sslcontext") is None
            and transport.get_extra_info("socket") is not None
        )

    async def lend(self, send: Send) -> int | None:
        """The client's descriptor, as soon as all that was said is on its way; None if that cannot be."""
        transport = self._protocol.transport
        if transport.get_write_buffer_size():
            transport.set_write_buffer_limits(0)
            try:
                await send(
                    {"type": "http.response.body", "body": b"", "more_body": True}
                )  # waits until nothing is left
            finally:
                transport.set_write_buffer_limits()
        if transport.is_closing() or transport.get_write_buffer_size():
            return None
        descriptor: int = transport.get_extra_info("socket").fileno()
        return descriptor if descriptor >= 0 else None

    def take_back(self, count: int) -> None:
        """So many bytes of the body were written to it."""
        self._cycle.expected_content_length -= count

    def cut(self) -> None:
        """The client takes no more."""
        self._protocol.transport.abort()


class Lending(Base):
    """Added to uvicorn's protocol by `lending`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {NAME: Outlet(self, self.scope)}
        self.scope["extensions"] = extensions
