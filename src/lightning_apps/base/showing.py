"""Values of the state as JSON, for programs that know nothing of Python.  Types are not kept: see `base.encoding` for that."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import msgspec

from .registry import registry

Encode = Callable[[Any], bytes]


def plainly(value: Any) -> Any:
    """One value that JSON has no word for, as others; whoever encodes calls it again for what is inside."""
    if value is None or isinstance(value, bool):
        return key_text(value)  # only as a key
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        return value.tolist()
    for kind in (str, int, float, bytes):
        if isinstance(value, kind):
            return kind(value)  # type: ignore[arg-type]
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, range) or hasattr(value, "popleft"):
        return list(value)
    if (say := registry.sayers.get(type(value))) is not None:
        return say(value)
    entry = registry.find(type(value))
    return entry.pack(value) if entry is not None else repr(value)


_quick = msgspec.json.Encoder(enc_hook=plainly).encode


def encode(value: Any) -> bytes:
    """Any value that may be state, as JSON: NaN and infinities become null, keys become text, sets and tuples lists."""
    try:
        return _quick(value)
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError):
        return _quick(_careful(value))


def as_builtins(value: Any) -> Any:
    """A value as it is after a journey through JSON: a copy of nothing but dictionaries, lists, texts and numbers."""
    return msgspec.json.decode(encode(value))


def key_text(key: Any) -> str:
    """How a key of a dictionary is written in JSON."""
    if isinstance(key, enum.Enum):
        return key_text(key.value)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return _text(key) if isinstance(key, str) else str(key)


def _careful(value: Any) -> Any:
    """The same with keys and texts that JSON can hold."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {key_text(key): _careful(item) for key, item in dict.items(value)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_careful(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, enum.Enum)):
        return value
    if hasattr(value, "__dataclass_fields__"):
        return {name: _careful(getattr(value, name)) for name in value.__dataclass_fields__ if hasattr(value, name)}
    if isinstance(value, msgspec.Struct):
        return {name: _careful(getattr(value, name)) for name in value.__struct_fields__}
    shown = plainly(value)
    return shown if type(shown) is type(value) else _careful(shown)


def _text(text: str) -> str:
    """Halves of surrogate pairs, which UTF-8 cannot hold, become question marks."""
    return text.encode("utf-8", "replace").decode()
