"""How two states differ, line by line in the words of an app: "root.train.loss: 0.3, expected 0.1".  Knows nothing of pytest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

BRANCHES = ("flows", "works", "structures")
KNOWN = frozenset({"vars", *BRANCHES, "calls", "changes", "app_state"})
MOST = 40  # lines
WIDEST = 100  # characters of a value
MISSING: Any = object()


def is_state(value: Any) -> bool:
    """Whether a value has the shape of the state of an app or of a component."""
    return isinstance(value, dict) and isinstance(value.get("vars"), dict) and set(value) <= KNOWN


def are_values(value: Any) -> bool:
    """Whether these may be the attributes of components by their full names, as `AppTest.values` has them."""
    names = [name for name in value if isinstance(name, str) and (name == "root" or name.startswith("root."))]
    return len(names) == len(value) and all(isinstance(each, dict) for each in value.values())


def explain(found: Any, expected: Any) -> list[str]:
    """Where two states differ, at most 40 lines."""
    return _at_most(list(_state("root", found, expected)))


def explain_values(found: Any, expected: Any) -> list[str]:
    """As `explain`, of attributes by component."""
    names = dict.fromkeys([*found, *expected])
    each = [_value(name, found.get(name, MISSING), expected.get(name, MISSING)) for name in names]
    return _at_most([line for lines in each for line in lines])


def _at_most(lines: list[str]) -> list[str]:
    if len(lines) > MOST:
        lines[MOST:] = [f"… and {len(lines) - MOST} more"]
    return lines


def _state(name: str, found: dict[str, Any], expected: dict[str, Any]) -> Iterator[str]:
    for part in dict.fromkeys([*found, *expected]):
        mine, theirs = found.get(part, MISSING), expected.get(part, MISSING)
        if part == "vars":
            yield from _value(name, mine, theirs)
        elif part in BRANCHES:
            yield from _children(name, part, mine, theirs)
        else:
            yield from _value(f"{name}[{part!r}]", mine, theirs)


def _children(name: str, part: str, found: Any, expected: Any) -> Iterator[str]:
    if not (isinstance(found, dict) and isinstance(expected, dict)):
        yield from _value(f"{name} {part}", found, expected)
        return
    for child in dict.fromkeys([*found, *expected]):
        mine, theirs = found.get(child, MISSING), expected.get(child, MISSING)
        path = f"{name}.{child}"
        if is_state(mine) and is_state(theirs):
            yield from _state(path, mine, theirs)
        elif mine is MISSING:
            yield f"{path}: there is no such {_kind(part)}"
        elif theirs is MISSING:
            yield f"{path}: this {_kind(part)} was not expected"
        else:
            yield from _value(path, mine, theirs)


def _kind(part: str) -> str:
    return part.removesuffix("s")


def _value(path: str, found: Any, expected: Any) -> Iterator[str]:
    if type(found) is type(expected) and found == expected:
        return
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in dict.fromkeys([*found, *expected]):
            step = f"{path}.{key}" if isinstance(key, str) and key.isidentifier() else f"{path}[{key!r}]"
            yield from _value(step, found.get(key, MISSING), expected.get(key, MISSING))
    elif isinstance(found, (list, tuple)) and type(found) is type(expected):
        for index in range(max(len(found), len(expected))):
            yield from _value(f"{path}[{index}]", _at(found, index), _at(expected, index))
    elif found is MISSING:
        yield f"{path}: missing, expected {_shown(expected)}"
    elif expected is MISSING:
        yield f"{path}: {_shown(found)}, not expected"
    elif found != expected:
        yield f"{path}: {_shown(found)}, expected {_shown(expected)}"


def _at(values: Any, index: int) -> Any:
    return values[index] if index < len(values) else MISSING


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


__all__ = ["are_values", "explain", "explain_values", "is_state"]
