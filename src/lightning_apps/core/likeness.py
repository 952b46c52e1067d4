"""Turns what JSON said into a value of the kind that is there now: a list into a tuple, a text into a date.  Knows nothing of state."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from ..base.errors import CannotEdit
from ..base.showing import key_text
from ..base.values import TRACKED

JSON_KINDS = (type(None), bool, int, float, str)


def like(present: Any, value: Any) -> Any:
    """`value`, which came from JSON, as the kind of thing that `present` is.

    Between JSON's own kinds everything may become everything, but numbers stay whole or not where that loses nothing.

    Raises:
        CannotEdit: it cannot be one.
    """
    kind = type(present)
    if kind in (int, float):
        return _number(kind, value)
    if kind in JSON_KINDS:
        return value
    if isinstance(present, dict):
        return _table(present, value) if isinstance(value, dict) else _plain_or_refused(present, value)
    if isinstance(present, list):
        return _items(present, value) if isinstance(value, list) else _plain_or_refused(present, value)
    if isinstance(present, (tuple, set, frozenset)):
        return _collection(present, value)
    return _rich(present, value)


def _number(kind: type, value: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    return int(value) if kind is int and type(value) is float and value.is_integer() else value


def _plain_or_refused(present: Any, value: Any) -> Any:
    """A plain container may give way to anything, a special one (a Counter, a deque) not."""
    if type(present) in TRACKED or type(present) in (list, dict):
        return value
    raise _refused(present, value)


def _table(present: dict[Any, Any], value: dict[str, Any]) -> Any:
    keys = {key_text(key): key for key in dict.keys(present)}
    whole = bool(keys) and all(type(key) is int for key in keys.values())
    made = {}
    for text, item in value.items():
        key = keys.get(text, text)
        if whole and key is text and text.lstrip("-").isdigit():
            key = int(text)
        made[key] = like(dict.get(present, key), item)
    return made if type(present) in TRACKED or type(present) is dict else _made(type(present), made, present)


def _items(present: list[Any], value: list[Any]) -> Any:
    there = list(list.__iter__(present))
    return [like(there[n] if n < len(there) else there[-1] if there else None, item) for n, item in enumerate(value)]


def _collection(present: Any, value: Any) -> Any:
    if not isinstance(value, list):
        raise _refused(present, value)
    if not isinstance(present, tuple):
        sample = next(iter(present), None)
        return _made(
            frozenset if isinstance(present, frozenset) else set, [like(sample, item) for item in value], present
        )
    made = _items(list(present), value)
    return tuple(made) if type(present) is tuple else _made(type(present)._make, made, present)  # type: ignore[attr-defined]


def _rich(present: Any, value: Any) -> Any:
    kind = type(present)
    if hasattr(kind, "model_validate"):
        return _made(kind.model_validate, value, present)
    if isinstance(present, deque):
        return _made(lambda given: deque(given, present.maxlen), value, present)
    if hasattr(present, "dtype"):
        return _array(present, value)
    if isinstance(present, (str, int, float)) and not isinstance(present, enum.Enum):
        return _made(kind, value, present)
    return _made(lambda given: msgspec.convert(given, kind, strict=False), value, present)


def _array(present: Any, value: Any) -> Any:
    if getattr(present, "shape", ()) == ():
        return _made(type(present), value, present)

    def fill(rows: Any) -> Any:
        made = present.__class__(_shape(rows), dtype=present.dtype)
        made[...] = rows
        return made

    return _made(fill, value, present)


def _shape(rows: Any) -> tuple[int, ...]:
    return (len(rows), *(_shape(rows[0]) if rows else ())) if isinstance(rows, list) else ()


def _made(make: Callable[[Any], Any], value: Any, present: Any) -> Any:
    try:
        return make(value)
    except Exception as error:
        raise _refused(present, value, f" ({str(error).splitlines()[0]})" if str(error) else "") from None


def _refused(present: Any, value: Any, why: str = "") -> CannotEdit:
    said = repr(value)
    said = said if len(said) <= 60 else said[:59] + "…"
    return CannotEdit(f"{said} cannot become a {type(present).__name__}, which is what is there now{why}.")
