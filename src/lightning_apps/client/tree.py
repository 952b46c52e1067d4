"""An app's state as a client holds it: plain JSON, changed by the words of the stream.  Knows nothing of connections.

Nothing that was handed out ever changes: a change copies the containers on its way, so a reader on another thread needs no lock, and two
values are the same object as long as nothing in them changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]
Place = tuple[str, ...]  # where a component stands: ("flows", "train"), ("structures", "ws", "works", "0")
CHILDREN = ("flows", "works")
Apply = Callable[["Tree", Json, Mapping[str, Any]], Any]


class Unknown(LookupError):
    """The stream spoke of something that is not here: what is here is no longer true, and has to be asked for again."""


class Tree:
    """The state at one version.

    Attributes:
        state: in the shape of `app.state_vars`; never changed in place.
    """

    def __init__(self, state: Json) -> None:
        self.state = state
        self._places = dict(_walk("root", (), state))

    def apply(self, news: Iterable[Mapping[str, Any]]) -> None:
        """Take over changes, in order.

        Raises:
            Unknown: one does not fit what is here.
        """
        state = self.state
        try:
            for item in news:
                change: Apply = APPLY.get(item["op"], _nothing)
                state = change(self, state, item)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise Unknown(str(error)) from error
        self.state = state

    def place(self, component: str) -> Place:
        """Where the component of this name stands.

        Raises:
            Unknown: there is none.
        """
        try:
            return self._places[component]
        except KeyError:
            raise Unknown(component) from None

    def _set(self, state: Json, item: Mapping[str, Any]) -> Any:
        path = (*self.place(item["component"]), "vars", *item["path"])
        return changed(state, path[:-1], lambda holder: _with(holder, path[-1], item["value"]))

    def _delete(self, state: Json, item: Mapping[str, Any]) -> Any:
        path = (*self.place(item["component"]), "vars", *item["path"])
        return changed(state, path[:-1], lambda holder: _without(holder, path[-1]))

    def _splice(self, state: Json, item: Mapping[str, Any]) -> Any:
        path = (*self.place(item["component"]), "vars", *item["path"])
        index, removed = item["index"], item["removed"]
        return changed(state, path, lambda items: [*items[:index], *item["value"], *items[index + removed :]])

    def _came(self, state: Json, item: Mapping[str, Any]) -> Any:
        value, place = item["value"], tuple(item["value"]["place"])
        made: Json = {"vars": value["vars"]}
        if value["is_flow"]:
            made |= {"flows": {}, "works": {}}
            made["structures"] = {name: {"works": {}, "flows": {}} for name in value["structures"]}
        self._places[item["component"]] = place
        return changed(state, place[:-1], lambda holder: _with(holder, place[-1], made)) if place else made

    def _went(self, state: Json, item: Mapping[str, Any]) -> Any:
        name = item["component"]
        place = self.place(name)
        for gone in [each for each in self._places if each == name or each.startswith(f"{name}.")]:
            del self._places[gone]
        if not _has(state, place):  # its structure has gone before it
            return state
        return changed(state, place[:-1], lambda holder: _without(holder, place[-1]))

    def _structure(self, state: Json, item: Mapping[str, Any]) -> Any:
        (name,) = item["path"]
        empty: Json = {"works": {}, "flows": {}}
        arrange = (
            (lambda held: {**held, name: held.get(name, empty)})
            if item["value"]
            else (lambda held: _without(held, name))
        )
        return changed(state, (*self.place(item["component"]), "structures"), arrange)

    def _stage(self, state: Json, item: Mapping[str, Any]) -> Json:
        return {**state, "app_state": {**state.get("app_state", {}), "stage": item["value"]}}


def _nothing(tree: Tree, state: Json, item: Mapping[str, Any]) -> Json:
    """Statuses and what else is no part of the state."""
    return state


APPLY: dict[str, Apply] = {
    "set": Tree._set,
    "delete": Tree._delete,
    "splice": Tree._splice,
    "came": Tree._came,
    "went": Tree._went,
    "structure": Tree._structure,
    "stage": Tree._stage,
}


def changed(holder: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy of `holder` in which what stands at `path` is what `change` makes of it; all else is shared."""
    if not path:
        return change(holder)
    inside = holder.get(path[0], {}) if isinstance(holder, dict) else holder[path[0]]
    return _with(holder, path[0], changed(inside, path[1:], change))


def at(state: Json, place: Place) -> Json:
    """What stands at this place.

    Raises:
        KeyError: nothing does.
    """
    for key in place:
        state = state[key]
    return state


def _has(state: Json, place: Place) -> bool:
    try:
        at(state, place)
    except KeyError:
        return False
    return True


def place_of_name(state: Json, name: str) -> Place | None:
    """Where the component of this full name stands, if there is one."""
    return next((place for found, place in _walk("root", (), state) if found == name), None)


def pointer(path: Iterable[Any]) -> str:
    """A path as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def _with(holder: Any, key: Any, value: Any) -> Any:
    copy = holder.copy()
    copy[key] = value
    return copy


def _without(holder: Any, key: Any) -> Any:
    copy = holder.copy()
    copy.pop(key, None) if isinstance(copy, dict) else copy.pop(key)
    return copy


def _walk(name: str, place: Place, state: Json) -> Iterator[tuple[str, Place]]:
    """Every component with its full name."""
    yield name, place
    yield from _walk_children(name, place, state)
    for structure, held in state.get("structures", {}).items():
        yield from _walk_children(f"{name}.{structure}", (*place, "structures", structure), held)


def _walk_children(name: str, place: Place, holder: Json) -> Iterator[tuple[str, Place]]:
    for section in CHILDREN:
        for key, child in holder.get(section, {}).items():
            yield from _walk(f"{name}.{key}", (*place, section, key), child)
