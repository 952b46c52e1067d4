"""The key of a call: 128 bits over its arguments, the same in every process and version.

Order and number of arguments count; 1, 1.0 and True differ; positional and named spellings differ; dictionaries and sets are
canonical.  The hash is BLAKE2b (RFC 7693).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from ..base.encoding import FROZENSET, NAMED, PAIRS, SCALARS, SET_, TUPLE, pack, registry
from ..base.errors import CannotKeep, CannotSend

_encode = msgspec.msgpack.Encoder().encode
_COMPLEX = 31
Warn = Callable[[str], None]
SIMPLE = SCALARS - {float}  # 0.0 equals -0.0, and NaN nothing


def call_key(args: tuple[Any, ...], kwargs: dict[str, Any], warn: Warn) -> str:
    """32 hex digits for these arguments.

    Args:
        warn: told once per call of this function for each value whose key may change between versions of its library.

    Raises:
        CannotSend: a lambda, a generator, or anything else that means something else in another process.
    """
    named = [[name, kwargs[name]] for name in sorted(kwargs)]
    whole = [list(args), named]
    try:
        data = _encode(canonical(whole, warn))
    except (OverflowError, UnicodeEncodeError):
        data = _encode(canonical(whole, warn, careful=True))
    except RecursionError:
        raise CannotSend("an argument that contains itself cannot be sent") from None
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class Keys:
    """Remembers the keys of calls with few and simple arguments, which flows ask for again in every turn."""

    def __init__(self, warn: Warn, limit: int = 4096) -> None:
        self._warn, self._limit = warn, limit
        self._known: dict[Any, str] = {}

    def of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """As `call_key`."""
        kinds = (*map(type, args), *map(type, kwargs.values()))
        if not SIMPLE.issuperset(kinds):
            return call_key(args, kwargs, self._warn)
        token = (kinds, args, *kwargs.items())
        key = self._known.get(token)
        if key is None:
            if len(self._known) >= self._limit:
                self._known.clear()
            key = self._known[token] = call_key(args, kwargs, self._warn)
        return key


def canonical(value: Any, warn: Warn, careful: bool = False) -> Any:
    """Something msgspec encodes to the same bytes whenever the value is the same."""
    kind = type(value)
    kind = registry.alike.get(kind, kind)
    if kind in SCALARS:
        return pack(value, careful) if careful else value
    if kind is list:
        return [canonical(item, warn, careful) for item in value]
    if kind is tuple:
        return _ext(TUPLE, [canonical(item, warn, careful) for item in value])
    if kind is dict:
        pairs = [[canonical(k, warn, careful), canonical(v, warn, careful)] for k, v in value.items()]
        return _ext(PAIRS, sorted(pairs, key=lambda pair: _encode(pair[0])))
    if kind in (set, frozenset):
        items = sorted((canonical(item, warn, careful) for item in value), key=_encode)
        return _ext(SET_ if kind is set else FROZENSET, items)
    entry = registry.find(kind)
    if entry is None:
        return _reduced(value, kind, warn, careful)
    try:
        packed = (entry.key or entry.pack)(value)
    except CannotKeep:
        return _reduced(value, kind, warn, careful)  # an array of objects, say: no state, but an argument
    return _ext(NAMED, [entry.name, canonical(packed, warn, careful)])


def _ext(code: int, packed: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, _encode(packed))


def _reduced(value: Any, kind: type, warn: Warn, careful: bool) -> Any:
    """Classes and module-level functions by their name; any other object by what it pickles as."""
    qualname = getattr(value, "__qualname__", None)
    if qualname is not None and hasattr(value, "__module__"):
        if "<" in qualname:
            raise CannotSend(f"{value!r} cannot be an argument: it has no name by which another process could find it")
        return _ext(_COMPLEX, [value.__module__, qualname])
    try:
        reduced = value.__reduce_ex__(4)
    except Exception as error:
        raise CannotSend(f"a {kind.__module__}.{kind.__qualname__} cannot be an argument: {error}") from None
    if isinstance(reduced, str):
        return _ext(_COMPLEX, [kind.__module__, reduced])
    warn(
        f"A {kind.__module__}.{kind.__qualname__} is part of a call's arguments: the call may be made again when that class changes."
    )
    parts = [list(part) if index > 2 and part is not None else part for index, part in enumerate(reduced)]
    return _ext(_COMPLEX, [canonical(part, warn, careful) for part in parts])
