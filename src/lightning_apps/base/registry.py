"""Which types may be state besides JSON's, and how each becomes plain values and comes back.  Knows no bytes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from .errors import CannotKeep

SCALARS = frozenset({type(None), bool, int, float, str, bytes})


def _nothing(value: Any) -> None:
    """A value of this type holds no others."""


class StateValue(NamedTuple):
    """How one type becomes plain values and comes back.

    Attributes:
        name: what it is called on the wire; never change it.
        kind: the type (subclasses are not included).
        pack: value to something encodable.
        unpack: and back.
        mutable: whether it can change in place; such values are compared by their encoding.
        inside: what else has to be keepable for a value to be, or None; may refuse the value itself.
        adopt: called with a value, the component whose state it has become part of, and the attribute; returns what is kept.
        refer: as `pack`, of a value so big that its content lies on a shelf, which is named in it; None for others.
        key: what of a value counts for the key of a call it is an argument of; None: all that `pack` returns.
    """

    name: str
    kind: type
    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]
    mutable: bool = False
    inside: Callable[[Any], Any] = _nothing
    adopt: Callable[[Any, Any, str], Any] | None = None
    key: Callable[[Any], Any] | None = None
    refer: Callable[[Any], Any] | None = None


class Shelf(Protocol):
    """Where the content of big values lies; processes of one run share it."""

    limit: int  # bytes up to which a value goes by itself

    def keep(self, value: Any, mark: Any, parts: Callable[[], Sequence[Any]]) -> str:
        """The name of a value's content; asked again with an equal mark, it is not looked at again."""

    def view(self, name: str) -> memoryview:
        """Content as memory."""


class Elsewhere(Protocol):
    """Where the files lie that works share by name, for a process that does not see their folder."""

    def drive(self, name: str) -> Any:
        """The files of a drive: a `storage.shelf.Shelf`."""

    def files(self) -> Any:
        """All others: a `storage.filesystem.Place`."""


class Registry:
    """The types that may be state besides JSON's: exact types, and families told by a test."""

    def __init__(self) -> None:
        self.by_type: dict[type, StateValue] = {}
        self.by_name: dict[str, StateValue] = {}
        self.families: list[tuple[Callable[[type], bool], Callable[[type], StateValue]]] = []
        self.family_unpack: dict[str, Callable[[Any], Any]] = {}
        self.alike: dict[type, type] = {}  # tracked containers are encoded as the plain ones
        self.makers: dict[
            type, Callable[[Any, Any, Any], Any]
        ] = {}  # of a tracked container, with its parent and its key there
        self.sayers: dict[type, Callable[[Any], dict[str, Any]]] = {}  # how JSON shows values of a type
        self.readers: dict[str, Callable[[dict[str, Any]], Any]] = {}  # by "type" in that JSON, what it was
        self.shelf: Shelf | None = None  # this process's, while it has one
        self.shared: Elsewhere | None = None  # None: in a folder that this process sees
        self.adopting = False  # whether any type wants to know whose state its values are part of

    def add(self, entry: StateValue) -> None:
        self.by_type[entry.kind] = self.by_name[entry.name] = entry
        self.adopting = self.adopting or entry.adopt is not None

    def find(self, kind: type) -> StateValue | None:
        """The entry for exactly this type; a family's member is looked up once and remembered."""
        entry = self.by_type.get(kind)
        if entry is None:
            for belongs, make in self.families:
                if belongs(kind):
                    entry = self.by_type[kind] = make(kind)
                    break
        return entry

    def restore(self, name: str, packed: Any) -> Any:
        entry = self.by_name.get(name)
        if entry is not None:
            return entry.unpack(packed)
        unpack = self.family_unpack.get(name)
        if unpack is None:
            raise CannotKeep(f"A value of the registered kind {name!r} came in, which nothing here can read.")
        return unpack(packed)


registry = Registry()


def restored(name: str, packed: Any) -> Any:
    """A registered value out of a pickle."""
    return registry.restore(name, packed)


def register(
    name: str,
    kind: type,
    pack: Callable[[Any], Any],
    unpack: Callable[[Any], Any],
    mutable: bool = False,
    inside: Callable[[Any], Any] = _nothing,
    *,
    adopt: Callable[[Any, Any, str], Any] | None = None,
    key: Callable[[Any], Any] | None = None,
) -> None:
    """Let values of exactly this type be state, under a name that must never change."""
    registry.add(StateValue(name, kind, pack, unpack, mutable, inside, adopt, key))


def register_shown(
    tag: str, kind: type, say: Callable[[Any], dict[str, Any]], read: Callable[[dict[str, Any]], Any]
) -> None:
    """Have JSON show values of this type as a dictionary with `"type": tag`, which readers of the state may turn back."""
    registry.sayers[kind], registry.readers[tag] = say, read


def keepable(kind: type) -> bool:
    """Whether a leaf of this type can be kept (containers are looked into by their owner)."""
    return kind in SCALARS or registry.find(kind) is not None


def locate(module: str, qualname: str) -> Any:
    """The class of this name, imported if need be."""
    found: Any = sys.modules.get(module) or importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found
