"""Changes that programs outside ask for, in JSON's words, made as if the flow had assigned.  Knows nothing of turns or of HTTP."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..base.errors import CannotEdit, OutOfDate
from ..base.messages import Edit
from ..base.showing import as_builtins, key_text
from ..base.values import TrackedDict, TrackedList
from ..model.component import Component
from .likeness import like

PUT, ADD, REPLACE, REMOVE, TEST, COPY, MOVE = "put", "add", "replace", "remove", "test", "copy", "move"
OPERATIONS = frozenset({PUT, ADD, REPLACE, REMOVE, TEST, COPY, MOVE})


def make(tree: Mapping[str, Component], edit: Edit) -> None:
    """Do what one edit says.

    Args:
        tree: the components by name.

    Raises:
        CannotEdit: there is no such place, or the value does not fit it.
        OutOfDate: a test found another value.
    """
    component = _component(tree, edit.component)
    if edit.op == TEST:
        _test(component, edit)
    elif edit.op == REMOVE:
        _remove(component, edit.path)
    elif edit.op in (COPY, MOVE):
        source = _component(tree, edit.value[0])
        path = tuple(edit.value[1])
        value = copy.deepcopy(_look(source, path))
        if edit.op == MOVE:
            _remove(source, path)
        _set(component, edit.path, value, ADD)
    else:
        _set(component, edit.path, edit.value, edit.op)


def _component(tree: Mapping[str, Component], name: str) -> Component:
    if name not in tree:
        raise CannotEdit(f"The app has no component {name!r}.")
    return tree[name]


def _attribute(component: Component, name: Any) -> Any:
    """The value of a public state attribute."""
    known = [each for each in component._lit_state if not each.startswith("_")]
    if name not in known:
        raise CannotEdit(
            f"{component.name} has no attribute {name!r} that can be set; it has: {', '.join(known) or 'none'}."
        )
    return component.__dict__[name]


def _look(component: Component, path: tuple[Any, ...]) -> Any:
    """What is at a path, in JSON's kinds."""
    value = as_builtins(_attribute(component, path[0]))
    for token in path[1:]:
        value = _step(component, value, token, path)
    return value


def _test(component: Component, edit: Edit) -> None:
    found = _look(component, edit.path)
    if not _equal(found, edit.value):
        raise OutOfDate(f"{_named(component, edit.path)} is another value than the one that was tested for.")


def _equal(left: Any, right: Any) -> bool:
    """As JSON has it: 1 and 1.0 are the same number, 1 and true are not the same."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def _set(component: Component, path: tuple[Any, ...], value: Any, op: str) -> None:
    present = _attribute(component, path[0])
    if len(path) == 1:
        setattr(component, path[0], like(present, value))
        return
    holder, key, at = _deepest(component, present, path)
    if at < len(path):  # inside something that does not tell of changes: another in its place
        held = component.__dict__[path[0]] if holder is None else holder[key]
        inside = as_builtins(held)
        _set_in_json(component, inside, path, at, value, op)
        new = like(held, inside)
        setattr(component, path[0], new) if holder is None else holder.__setitem__(key, new)
    elif isinstance(holder, TrackedList):
        _set_in_list(component, holder, key, path, value, op)
    else:
        if key not in holder and op == REPLACE:
            raise _nowhere(component, path)
        holder[key] = like(holder.get(key), value)


def _set_in_list(component: Component, holder: Any, key: int, path: tuple[Any, ...], value: Any, op: str) -> None:
    there = key < len(holder)
    if op == ADD or (op == PUT and key == len(holder)):
        if key > len(holder):
            raise _nowhere(component, path)
        sample = holder[min(key, len(holder) - 1)] if holder else None
        holder.insert(key, like(sample, value))
    elif there:
        holder[key] = like(holder[key], value)
    else:
        raise _nowhere(component, path)


def _set_in_json(component: Component, inside: Any, path: tuple[Any, ...], at: int, value: Any, op: str) -> None:
    for token in path[at:-1]:
        inside = _step(component, inside, token, path)
    last = path[-1]
    if isinstance(inside, dict):
        if op == REPLACE and last not in inside:
            raise _nowhere(component, path)
        inside[last] = value
    elif isinstance(inside, list):
        index = _index(component, inside, last, path)
        if op == ADD or index == len(inside):
            inside.insert(index, value)
        else:
            inside[index] = value
    else:
        raise _nowhere(component, path)


def _remove(component: Component, path: tuple[Any, ...]) -> None:
    present = _attribute(component, path[0])
    if len(path) == 1:
        raise CannotEdit(f"{_named(component, path)} is an attribute: it can be set to null, and not be removed.")
    holder, key, at = _deepest(component, present, path)
    if at == len(path):
        if not _there(holder, key):
            raise _nowhere(component, path)
        del holder[key]
        return
    held = component.__dict__[path[0]] if holder is None else holder[key]
    inside = whole = as_builtins(held)
    for token in path[at:-1]:
        inside = _step(component, inside, token, path)
    if isinstance(inside, dict) and path[-1] in inside:
        del inside[path[-1]]
    elif isinstance(inside, list) and _index(component, inside, path[-1], path) < len(inside):
        del inside[_index(component, inside, path[-1], path)]
    else:
        raise _nowhere(component, path)
    new = like(held, whole)
    setattr(component, path[0], new) if holder is None else holder.__setitem__(key, new)


def _deepest(component: Component, value: Any, path: tuple[Any, ...]) -> tuple[Any, Any, int]:
    """The last container on the way that tells of its changes, the key in it, and how much of the path that is."""
    holder: Any = None
    key: Any = None
    for at, token in enumerate(path[1:], 1):
        if not isinstance(value, (TrackedList, TrackedDict)):
            return holder, key, at
        holder, key = value, _key(component, value, token, path)
        if at == len(path) - 1:
            break
        if not _there(holder, key):
            raise _nowhere(component, path)
        value = holder[key]
    return holder, key, len(path)


def _there(holder: Any, key: Any) -> bool:
    return key < len(holder) if isinstance(holder, TrackedList) else key in holder


def _key(component: Component, holder: Any, token: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(holder, TrackedList):
        return _index(component, holder, token, path)
    if token in holder:
        return token
    found = next((key for key in dict.keys(holder) if key_text(key) == str(token)), None)
    if found is not None:
        return found
    whole = bool(holder) and all(type(key) is int for key in dict.keys(holder))
    return int(token) if whole and str(token).lstrip("-").isdigit() else token


def _index(component: Component, items: Any, token: Any, path: tuple[Any, ...]) -> int:
    if token == "-":
        return len(items)
    text = str(token)
    if not (text.isascii() and text.isdigit()) or text != str(int(text)):
        raise _nowhere(component, path)
    return int(text)


def _step(component: Component, value: Any, token: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and (index := _index(component, value, token, path)) < len(value):
        return value[index]
    raise _nowhere(component, path)


def _named(component: Component, path: tuple[Any, ...]) -> str:
    return f"{component.name}.{path[0]}" + "".join(f"[{token!r}]" for token in path[1:])


def _nowhere(component: Component, path: tuple[Any, ...]) -> CannotEdit:
    return CannotEdit(f"There is no {_named(component, path)}.")
