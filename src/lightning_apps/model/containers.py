"""Structures: lists and dicts of components, as attributes of a flow.  Elements have names that are never given twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, SupportsIndex

from ..base.errors import AlreadyAttached, ComponentError
from .component import Component


class Structure:
    """What List and Dict share: a place in the tree and named elements."""

    _lit_parent: Any
    _lit_key: str

    @property
    def name(self) -> str:
        """The full dotted name of the structure itself."""
        return f"{self._lit_parent.name}.{self._lit_key}" if self._lit_parent is not None else self._lit_key

    def _lit_items(self) -> Iterator[tuple[str, Any]]:
        """Key and component of each element."""
        raise NotImplementedError

    @property
    def works(self) -> list[Any]:
        """The works in it, and those of the flows in it."""
        found: list[Any] = []
        for _, item in self._lit_items():
            found += item.works() if hasattr(item, "_lit_isflow") else [item]
        return found

    @property
    def flows(self) -> dict[str, Any]:
        """The flows in it and below, by full name."""
        found: dict[str, Any] = {}
        for _, item in self._lit_items():
            if hasattr(item, "_lit_isflow"):
                found[item.name] = item
                found.update(item.flows)
        return found

    def _lit_adopt(self, key: str, item: Any) -> Any:
        adopt(self, key, item)
        return item

    def _lit_collect(self, section: str) -> dict[str, Any]:
        shape: dict[str, Any] = {"works": {}, "flows": {}}
        for key, item in self._lit_items():
            shape["flows" if hasattr(item, "_lit_isflow") else "works"][key] = getattr(item, section)
        return shape

    @property
    def state(self) -> dict[str, Any]:
        """`{"works": {key: state}, "flows": {key: state}}`."""
        return self._lit_collect("state")

    @property
    def state_vars(self) -> dict[str, Any]:
        """As `state`, without calls and changes."""
        return self._lit_collect("state_vars")

    @property
    def state_with_changes(self) -> dict[str, Any]:
        """As `state`; kept for older code."""
        return self._lit_collect("state_with_changes")

    def set_state(self, state: dict[str, Any]) -> None:
        """Give every element the state that `state` has for it.

        Raises:
            ComponentError: the keys are not those of the structure.
        """
        items = dict(self._lit_items())
        given = {**state.get("works", {}), **state.get("flows", {})}
        if set(items) != set(given):
            raise ComponentError(
                f"The provided state doesn't match the structure {self.name}: it has {sorted(items)}, the state has {sorted(given)}."
            )
        for key, item in items.items():
            item.set_state(given[key])


def adopt(parent: Any, key: str, child: Any) -> None:
    """Give `child` its place below `parent`.

    Raises:
        ComponentError: not a component.
        AlreadyAttached: it has a place already.
    """
    if not isinstance(child, Component):
        raise ComponentError(
            f"{parent.name}.{key} has to be a LightningFlow or a LightningWork, and it is a {type(child).__name__}."
        )
    if child._lit_parent is not None:
        raise AlreadyAttached(
            f"{type(child).__name__} is already attached as {child.name!r}, so it can't be {parent.name}.{key} as well: "
            "make another one, or pass the first one around by name."
        )
    child._lit_parent, child._lit_key = parent, key
    flow = parent if isinstance(parent, Component) else parent._lit_parent
    if flow is not None:
        flow._lit_binding.attached(child)


def dismiss(child: Any) -> None:
    """Take a component out of the tree; its process is stopped if the app runs."""
    child._lit_binding.detached(child)
    child._lit_parent, child._lit_name = None, ""


class List(Structure, list[Any]):
    """A list of components; elements are named by their index at the time they came in, and keep that name."""

    def __init__(self, *items: Component) -> None:
        list.__init__(self)
        self._lit_parent, self._lit_key, self._lit_next = None, "", 0
        for item in items:
            self.append(item)

    def _lit_items(self) -> Iterator[tuple[str, Component]]:
        return ((item._lit_key, item) for item in list.__iter__(self))

    def _lit_new(self, item: Any) -> Any:
        key = str(self._lit_next)
        self._lit_adopt(key, item)
        self._lit_next += 1
        return item

    def append(self, item: Any, /) -> None:
        """Add a component; in a running app it gets a process at its first `run` or `start`."""
        self.insert(len(self), item)

    def extend(self, items: Iterable[Any], /) -> None:
        for item in items:
            self.append(item)

    def insert(self, index: SupportsIndex, item: Any, /) -> None:
        at = slice(index, None).indices(len(self))[0]
        list.insert(self, at, item)
        try:
            self._lit_new(item)
        except BaseException:
            list.__delitem__(self, at)
            raise

    def __iadd__(self, items: Iterable[Any], /) -> List:  # type: ignore[misc]
        self.extend(items)
        return self

    def __setitem__(self, where: Any, item: Any, /) -> None:
        if isinstance(where, slice):
            raise ComponentError(f"{self.name} doesn't take slices: replace its components one by one.")
        old = list.__getitem__(self, where)
        if item is not old:
            list.__setitem__(self, where, item)
            try:
                self._lit_new(item)
            except BaseException:
                list.__setitem__(self, where, old)
                raise
            dismiss(old)

    def __delitem__(self, where: Any, /) -> None:
        gone = list.__getitem__(self, where)
        for item in reversed(gone) if isinstance(gone, list) else [gone]:
            dismiss(item)
        list.__delitem__(self, where)

    def pop(self, index: SupportsIndex = -1, /) -> Any:
        item = list.__getitem__(self, index)
        del self[index]
        return item

    def remove(self, item: Any, /) -> None:
        del self[self.index(item)]

    def clear(self) -> None:
        del self[:]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return List, tuple(list.__iter__(self))

    __hash__ = object.__hash__  # type: ignore[assignment]


class Dict(Structure, dict[str, Any]):
    """A dict of components, named by their keys."""

    def __init__(self, **items: Component) -> None:
        dict.__init__(self)
        self._lit_parent, self._lit_key = None, ""
        for key, item in items.items():
            self[key] = item

    def _lit_items(self) -> Iterator[tuple[str, Component]]:
        return iter(dict.items(self))

    def __setitem__(self, key: str, item: Any, /) -> None:
        """Add a component under a new key, or put another in the place of one.

        Raises:
            ComponentError: a key that is not a string or has a dot in it.
        """
        if not isinstance(key, str):
            raise ComponentError(f"The provided key should be an string: {self.name} got {key!r}.")
        if "." in key:
            raise ComponentError(f"The provided name {key} contains . which is forbidden.")
        old = dict.get(self, key)
        if item is old:
            return
        if old is not None:
            dismiss(old)
        dict.__setitem__(self, key, self._lit_adopt(key, item))

    def __delitem__(self, key: str, /) -> None:
        dismiss(dict.__getitem__(self, key))
        dict.__delitem__(self, key)

    def pop(self, key: str, *default: Any) -> Any:
        if key not in self:
            return dict.pop(self, key, *default)
        item = dict.__getitem__(self, key)
        del self[key]
        return item

    def popitem(self) -> tuple[str, Any]:
        key = list(dict.keys(self))[-1]
        return key, self.pop(key)

    def clear(self) -> None:
        for key in list(dict.keys(self)):
            del self[key]

    def update(self, *others: Any, **named: Any) -> None:
        for key, item in dict(*others, **named).items():
            self[key] = item

    def setdefault(self, key: str, default: Any = None, /) -> Any:
        if key not in self:
            self[key] = default
        return dict.__getitem__(self, key)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return _dict_of, (dict(dict.items(self)),)

    __hash__ = object.__hash__  # type: ignore[assignment]


def _dict_of(items: dict[str, Any]) -> Dict:
    return Dict(**items)


def structured(value: Any) -> Any:
    """A List or Dict for a non-empty plain list or dict of components; anything else as it is."""
    if type(value) is list and value and all(isinstance(item, Component) for item in value):
        return List(*value)
    if type(value) is dict and value and all(isinstance(item, Component) for item in value.values()):
        if not all(isinstance(key, str) for key in value):
            raise ComponentError(
                f"The provided key should be an string: {next(k for k in value if not isinstance(k, str))!r}."
            )
        made = Dict()
        made.update(value)
        return made
    return value
