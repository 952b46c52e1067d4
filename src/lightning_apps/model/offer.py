"""Reads what a root flow's `configure_api` and `configure_commands` return.  Serves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .api import ClientCommand, HttpMethod, RouteError, owner_of
from .component import Component
from .flow import LightningFlow

__all__ = ["Command", "Offer", "Target", "offer_of", "target_of"]


class Target(NamedTuple):
    """A method of a component of the app, by name."""

    component: str
    method: str


class Command(NamedTuple):
    """One command.

    Attributes:
        name: as people type it; may consist of several words.
        method: what answers.
        client: its other half, which runs on the user's machine; None: it has none.
    """

    name: str
    method: Callable[..., Any]
    client: ClientCommand | None = None

    @property
    def path(self) -> str:
        """The name as it stands in a URL."""
        return "_".join(self.name.split())

    @property
    def description(self) -> str:
        """For people; empty if its author said nothing."""
        return (self.client.description if self.client is not None else self.method.__doc__) or ""


class Offer(NamedTuple):
    """Everything that an app's author declared for the outside."""

    routes: tuple[HttpMethod, ...] = ()
    commands: tuple[Command, ...] = ()


def offer_of(root: LightningFlow) -> Offer:
    """What the root flow offers; asked for once, in the flow's thread.

    Raises:
        RouteError: (ValueError) something else than routes and commands was returned.
    """
    kind = type(root)
    routes = root.configure_api() if kind.configure_api is not LightningFlow.configure_api else ()
    commands = root.configure_commands() if kind.configure_commands is not LightningFlow.configure_commands else ()
    return Offer(_routes(kind.__name__, routes), _commands(kind.__name__, commands))


def target_of(method: Callable[..., Any]) -> Target | None:
    """Where a method of a component is found again; None for a function, which belongs to none.

    Raises:
        RouteError: (ValueError) a component's, under a name that does not lead to it.
    """
    owner = owner_of(method)
    if owner is None:
        return None
    if not owner.name:
        raise RouteError(f"{type(owner).__name__}.{_name(method)} is of a component that is in no flow.")
    return Target(owner.name, _attribute(owner, method))


def _attribute(owner: Component, method: Callable[..., Any]) -> str:
    """A decorated method may be called otherwise than the attribute that holds it."""
    function = getattr(method, "__func__", None)
    for name in [_name(method), *dir(type(owner))]:
        if getattr(type(owner), name, None) is function or vars(owner).get(name) == method:
            return name
    raise RouteError(f"{owner.name}.{_name(method)} cannot be found by its name: give a method of the class.")


def _name(method: Callable[..., Any]) -> str:
    return str(getattr(method, "__name__", type(method).__name__))


def _routes(kind: str, returned: Any) -> tuple[HttpMethod, ...]:
    for item in _as_list(f"{kind}.configure_api()", returned):
        if not isinstance(item, HttpMethod):
            raise RouteError(
                f"{kind}.configure_api() returned {item!r}: the provided api should be either [Delete, Get, Post, Put], "
                "as in [Post('/add', self.add)]."
            )
        target_of(item.method)
    return tuple(returned or ())


def _commands(kind: str, returned: Any) -> tuple[Command, ...]:
    entries = [returned] if isinstance(returned, dict) else _as_list(f"{kind}.configure_commands()", returned)
    found: dict[str, Command] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise RouteError(
                f"{kind}.configure_commands() returned {entry!r}: return a list such as [{{'add': self.add}}]."
            )
        for name, value in entry.items():
            command = _command(kind, name, value)
            if command.path in found:
                raise RouteError(f"{kind}.configure_commands() has two commands of the name {command.name!r}.")
            found[command.path] = command
    return tuple(found.values())


def _command(kind: str, name: Any, value: Any) -> Command:
    if not isinstance(name, str) or not name.strip() or name.startswith("-") or set(name) & set("/?#\\\0"):
        raise RouteError(f"{kind}.configure_commands() has {name!r}, which cannot be the name of a command.")
    client = value if isinstance(value, ClientCommand) else None
    method = client.method if client is not None else value
    if not callable(method) or isinstance(method, type):
        raise RouteError(
            f"{kind}.configure_commands() has {value!r} for {name!r}: give a method of a flow or a ClientCommand with one."
        )
    if client is not None:
        client.command_name = " ".join(name.split())
    target_of(method)
    return Command(" ".join(name.split()), method, client)


def _as_list(where: str, returned: Any) -> list[Any]:
    if returned is None:
        return []
    if not isinstance(returned, (list, tuple)):
        raise RouteError(f"{where} returned {returned!r}, which is no list.")
    return list(returned)
