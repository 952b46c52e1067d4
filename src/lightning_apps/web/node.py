"""One component as readers see it: plain values, and the JSON of each, made when it is asked for and kept until it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.messages import DELETE, SET, SPLICE, Change
from ..base.showing import encode, key_text
from ..base.status import WorkStatus
from ..model.compute import CloudCompute

HIDDEN = frozenset({"_iterations"})  # bookkeeping that never was in the shape of `app.state`
SET_WORD, DELETE_WORD, SPLICE_WORD = "set", "delete", "splice"
Holder = dict[str, "Node"]


class Node:
    """A component of the tree.

    Attributes:
        place: where it stands in the shape of `app.state`.
        version: the turn in which it changed last.
        values: its attributes; nobody else changes what is in them.
    """

    def __init__(self, name: str, place: tuple[str, ...], is_flow: bool, values: dict[str, Any], version: int) -> None:
        self.name, self.place, self.is_flow, self.version = name, place, is_flow, version
        self.values = {key: _shown(value) for key, value in values.items() if key not in HIDDEN}
        self.parent: Node | None = None
        self.kind: type = object
        self.options: Mapping[str, Any] = {}
        self.flows: Holder = {}
        self.works: Holder = {}
        self.structures: dict[str, dict[str, Holder]] = {}
        self.statuses: tuple[WorkStatus, ...] = ()
        self._fragments: dict[str, bytes] = {}
        self._whole: bytes | None = None

    # -- reading -------------------------------------------------------------------------------------------

    def json(self) -> bytes:
        """Its part of `state_vars`, with everything below it."""
        if self._whole is None:
            sections = [b'"vars":' + self.vars_json()]
            if self.is_flow:
                structures = [_quoted(key) + b":" + _sections(held) for key, held in self.structures.items()]
                sections += [b'"flows":' + _objects(self.flows), b'"works":' + _objects(self.works)]
                sections.append(b'"structures":{' + b",".join(structures) + b"}")
            self._whole = b"{" + b",".join(sections) + b"}"
        return self._whole

    def vars_json(self) -> bytes:
        """Its attributes alone."""
        fragments = self._fragments
        for name, value in self.values.items():
            if name not in fragments:
                fragments[name] = _quoted(name) + b":" + encode(value)
        return b"{" + b",".join([fragments[name] for name in self.values]) + b"}"

    # -- changing ------------------------------------------------------------------------------------------

    def stale(self, attribute: str, version: int) -> None:
        """What was said of this attribute, and of all above, is not so any more."""
        self.version = version
        self._fragments.pop(attribute, None)
        self.outdated()

    def outdated(self) -> None:
        """Something in or below it has changed."""
        node: Node | None = self
        while node is not None and node._whole is not None:
            node._whole = None
            node = node.parent

    def holder_of(self, place: tuple[str, ...]) -> Holder:
        """The dictionary that the component at this place below it belongs into."""
        if len(place) == 2:
            return self.flows if place[0] == "flows" else self.works
        sections = self.structures.setdefault(place[1], {"works": {}, "flows": {}})
        return sections[place[2]]

    def apply(self, change: Change) -> dict[str, Any] | None:
        """Take over one change; how a program that has only the JSON is told of it, or None if it does not concern it."""
        path = change.path
        if path[0] in HIDDEN:
            return None
        if len(path) == 1 and change.op <= DELETE:
            if change.op == DELETE:
                self.values.pop(path[0], None)
                return {"op": DELETE_WORD, "path": [path[0]]}
            value = self.values[path[0]] = _shown(change.value)
            return {"op": SET_WORD, "path": [path[0]], "value": value}
        return _inside(self.values, change)


def _inside(values: dict[str, Any], change: Change) -> dict[str, Any] | None:
    """A change of something inside an attribute."""
    shown: list[Any] = []
    holder: Any = values
    steps = change.path if change.op > DELETE else change.path[:-1]
    for key in steps:
        shown.append(_shown_key(holder, key))
        try:
            holder = holder[key]
        except (KeyError, IndexError, TypeError):
            if change.op != SET or not isinstance(holder, dict):
                return None
            holder[key] = holder = {}
    return _at(holder, shown, change)


def _at(holder: Any, shown: list[Any], change: Change) -> dict[str, Any] | None:
    key, value = change.path[-1], change.value
    if change.op == SPLICE:
        index, removed, inserted = value
        holder[index : index + removed] = inserted
        return {"op": SPLICE_WORD, "path": shown, "index": index, "removed": removed, "value": inserted}
    if change.op == SET or change.op == DELETE:
        at = [*shown, _shown_key(holder, key)]
        if change.op == SET:
            holder[key] = value
            return {"op": SET_WORD, "path": at, "value": value}
        holder.pop(key, None)
        return {"op": DELETE_WORD, "path": at}
    added, gone = value
    holder.update(added)
    holder.difference_update(gone)
    return {"op": SET_WORD, "path": shown, "value": set(holder)}


def _shown(value: Any) -> Any:
    """What stands for an attribute's value in the shape of `app.state`."""
    return value.to_dict() if isinstance(value, CloudCompute) else value


def _shown_key(holder: Any, key: Any) -> Any:
    return key_text(key) if isinstance(holder, dict) else key


def _quoted(text: str) -> bytes:
    return encode(text)


def _objects(holder: Holder) -> bytes:
    return b"{" + b",".join([_quoted(key) + b":" + node.json() for key, node in holder.items()]) + b"}"


def _sections(held: dict[str, Holder]) -> bytes:
    return b"{" + b",".join([_quoted(section) + b":" + _objects(nodes) for section, nodes in held.items()]) + b"}"
