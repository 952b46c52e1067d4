"""Values as they can be shown without the code that made them: nothing of the app is imported, nothing is unpickled that runs.

The counterpart of `base.encoding.decode` for people who look at a run from outside.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import struct
from collections.abc import Callable
from typing import Any

import msgspec

from ..base import encoding
from ..base.encoding import FROZENSET, NAMED, PAIRS, SET_, TUPLE
from ..base.messages import Change, FromWorker

LONGEST = 120
NUMBERS = {
    "f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "b1": "?",
}  # fmt: skip


class Foreign(msgspec.Struct, frozen=True):
    """A value whose class is not at hand, as it was encoded: its kind and what its class packed."""

    data: bytes

    def parts(self) -> tuple[str, Any]:
        """The registered kind ("dataclass", "enum" …) and what was packed."""
        name, packed = _decoder.decode(self.data)
        return str(name), packed

    def fields(self) -> dict[str, Any]:
        """By name, of a dataclass, model or struct; empty for anything else."""
        _, packed = self.parts()
        found = packed[2] if isinstance(packed, list) and len(packed) > 2 else {}
        return found if isinstance(found, dict) else {}


def ext_hook(code: int, data: memoryview) -> Any:
    """Undo one extension, as `base.encoding.ext_hook` does, but leave values of classes as they are."""
    if code == NAMED:
        return Foreign(bytes(data))
    if code not in (TUPLE, SET_, FROZENSET, PAIRS):
        return encoding.ext_hook(code, data)
    inner = _decoder.decode(data)
    if code == TUPLE:
        return tuple(inner)
    if code == PAIRS:
        return dict(inner)
    return set(inner) if code == SET_ else frozenset(inner)


_decoder = msgspec.msgpack.Decoder(ext_hook=ext_hook)
_change_decoder = msgspec.msgpack.Decoder(Change, ext_hook=ext_hook)
_word_decoder = msgspec.msgpack.Decoder(FromWorker, ext_hook=ext_hook)

decode: Callable[[bytes], Any] = _decoder.decode
decode_change: Callable[[bytes], Change] = _change_decoder.decode
decode_word: Callable[[bytes], Any] = _word_decoder.decode


def shown(value: Any) -> Any:
    """Something JSON can hold that says what the value is."""
    if isinstance(value, Foreign):
        name, packed = value.parts()
        return SHOWN.get(name, shown)(packed)
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(shown(key)): shown(item) for key, item in dict.items(value)}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((shown(item) for item in value), key=json.dumps)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return repr(value)


def _show_enum(packed: Any) -> Any:
    return packed[2] if packed[2] is not None else shown(packed[3])


def _show_number(packed: Any) -> Any:
    code = NUMBERS.get(packed[0][1:])
    return shown(struct.unpack(packed[0][0].replace("|", "<") + code, packed[1])[0]) if code else f"a {packed[0]}"


def _show_array(packed: Any) -> Any:
    return f"an array of {packed[0]}, shape {packed[1]}"


def _show_third(packed: Any) -> Any:
    return shown(packed[2])


def _show_first(packed: Any) -> Any:
    return shown(packed[0] if isinstance(packed, list) else packed)


def _show_pairs(packed: Any) -> Any:
    return shown(dict(packed))


SHOWN: dict[str, Callable[[Any], Any]] = {
    "enum": _show_enum, "npscalar": _show_number, "ndarray": _show_array, "datetime": _show_first, "time": _show_first,
    "deque": _show_first, "ordereddict": _show_pairs, "timedelta": lambda packed: packed[0] * 86400 + packed[1] + packed[2] / 1e6,
    **dict.fromkeys(("dataclass", "struct", "pydantic", "namedtuple", "str", "int", "float", "bytes"), _show_third),
}  # fmt: skip


# arguments of calls ----------------------------------------------------------------------------------------

PLAIN = {
    ("builtins", "set"): set, ("builtins", "frozenset"): frozenset, ("builtins", "complex"): complex, ("builtins", "bytearray"): bytearray,
    ("builtins", "slice"): slice, ("builtins", "range"): range,
}  # fmt: skip


def arguments(data: bytes) -> str:
    """A pickle of (args, kwargs) as "(0.1, epochs=3)", shortened; objects of classes are named and not made."""
    try:
        args, kwargs = _Unpickler(io.BytesIO(data)).load()
        text = ", ".join([*(repr(a) for a in args), *(f"{k}={v!r}" for k, v in kwargs.items())])
    except Exception:
        return "(…)"
    return f"({text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'})"


class _Unpickler(pickle.Unpickler):
    """Makes plain values, and a stand-in for everything else: no code of anybody runs."""

    def find_class(self, module: str, name: str) -> Any:
        return PLAIN.get((module, name)) or _stand_in(name)

    def persistent_load(self, _: Any) -> Any:
        return _stand_in("…")()


def _stand_in(name: str) -> type:
    """A class whose objects take whatever a pickle gives them."""

    class StandIn:
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return object.__new__(cls)

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            pass

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self

        def __setstate__(self, state: Any) -> None:
            pass

        def __setitem__(self, key: Any, value: Any) -> None:
            pass

        def append(self, item: Any) -> None:
            pass

        def extend(self, items: Any) -> None:
            pass

        def __repr__(self) -> str:
            return f"{name}(…)"

    return StandIn
