"""The older framework's deltas (what deepdiff made of two states) and whole states, as edits.  Pure, and without deepdiff."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

from ..base.errors import CannotEdit
from ..base.messages import Edit
from .pointer import place_of

STEP = re.compile(r"""\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+))\]""")
CHANGED = ("values_changed", "type_changes")
SET = ("dictionary_item_added", "attribute_added")
GONE = ("dictionary_item_removed", "attribute_removed")
KNOWN = {*CHANGED, *SET, *GONE, "iterable_item_added", "iterable_item_removed", "iterable_items_added_at_indexes",
         "iterable_items_removed_at_indexes"}  # fmt: skip


def steps_of(path: str) -> list[Any]:
    """The steps of deepdiff's notation: root['works']['w']['vars']['items'][2].

    Raises:
        CannotEdit: it is not in that notation.
    """
    if not path.startswith("root"):
        raise CannotEdit(f"{path!r} is no path of a delta: it has to begin with root[…].")
    found, at = [], 4
    while at < len(path):
        match = STEP.match(path, at)
        if match is None:
            raise CannotEdit(f"{path!r} is no path of a delta: it is not understood from {path[at:]!r} on.")
        found.append(
            int(match[3]) if match[3] is not None else _unescaped(match[1] if match[1] is not None else match[2])
        )
        at = match.end()
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def edits_of(delta: Mapping[str, Any], components: Container[str]) -> list[Edit]:
    """What a delta asks for, in an order in which it can be done.

    Raises:
        CannotEdit: something in it is not understood.
    """
    unknown = sorted(set(delta) - KNOWN - {"_numpy_paths"})
    if unknown:
        raise CannotEdit(f"{', '.join(unknown)}: no part of a delta; there are {', '.join(sorted(KNOWN))}.")
    return [_edit(steps, op, value, components) for steps, op, value in _all(delta)]


def _all(delta: Mapping[str, Any]) -> Iterator[tuple[list[Any], str, Any]]:
    for kind in CHANGED:
        for path, change in _entries(delta, kind):
            if not isinstance(change, Mapping) or "new_value" not in change:
                raise CannotEdit(f"The delta says no new_value for {path}.")
            yield steps_of(change.get("new_path") or path), "put", change["new_value"]
    for kind in SET:
        for path, value in _entries(delta, kind):
            yield steps_of(path), "put", value
    for kind in GONE:
        for path, _ in _entries(delta, kind):
            yield steps_of(path), "remove", None
    removed = [steps_of(path) for path, _ in _entries(delta, "iterable_item_removed")]
    removed += [
        [*steps_of(path), int(at)] for path, held in _entries(delta, "iterable_items_removed_at_indexes") for at in held
    ]
    for steps in sorted(removed, key=_from_the_end):  # so that indices stay right
        yield steps, "remove", None
    added = [(steps_of(path), value) for path, value in _entries(delta, "iterable_item_added")]
    for path, held in _entries(delta, "iterable_items_added_at_indexes"):
        added += [([*steps_of(path), int(at)], value) for at, value in held.items()]
    for steps, value in sorted(added, key=lambda each: (str(each[0][:-1]), each[0][-1])):
        yield steps, "add", value


def _from_the_end(steps: list[Any]) -> tuple[str, int]:
    return str(steps[:-1]), -steps[-1] if isinstance(steps[-1], int) else 0


def _entries(delta: Mapping[str, Any], kind: str) -> list[tuple[str, Any]]:
    held = delta.get(kind) or {}
    if isinstance(held, list):
        if "added" in kind:
            raise CannotEdit(f"The delta says no values for {kind}: it has to be made with verbose_level=2.")
        return [(path, None) for path in held]
    if not isinstance(held, Mapping):
        raise CannotEdit(f"The delta's {kind} has to be an object.")
    return list(held.items())


def _edit(steps: list[Any], op: str, value: Any, components: Container[str]) -> Edit:
    component, path = place_of(steps, components)
    return Edit(component, path, op, value)


# whole states -------------------------------------------------------------------------------------------------


def edits_between(before: Any, after: Any, components: Container[str]) -> list[Edit]:
    """What has to be set so that the attributes that differ between two states are as in `after`; what is not in both stays."""
    return [Edit(*place_of(steps, components), "put", value) for steps, value in _differences(before, after, ())]


def _differences(before: Any, after: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    known, wanted = _object(before, at), _object(after, at)
    mine = _section(known, "vars", at)
    for name, value in _section(wanted, "vars", at).items():
        if name in mine and not name.startswith("_") and mine[name] != value:
            yield (*at, "vars", name), value
    yield from _below(known, wanted, at)
    there = _section(known, "structures", at)
    for key, held in _section(wanted, "structures", at).items():
        if key in there:
            inside = (*at, "structures", key)
            yield from _below(_object(there[key], inside), _object(held, inside), inside)


def _below(
    known: Mapping[str, Any], wanted: Mapping[str, Any], at: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for section in ("flows", "works"):
        there = _section(known, section, at)
        for key, child in _section(wanted, section, at).items():
            if key in there:
                yield from _differences(there[key], child, (*at, section, key))


def _section(value: Mapping[str, Any], name: str, at: tuple[str, ...]) -> Mapping[str, Any]:
    return _object(value.get(name, {}), (*at, name))


def _object(value: Any, at: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        where = "/".join(at) or "its top"
        raise CannotEdit(f"The state has to be an object at {where}, as it is where GET /api/v1/state returns it.")
    return value
