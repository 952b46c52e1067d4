"""Values to bytes and back, keeping their types: msgpack, with tagged extensions for what msgpack alone would change.

JSON's types pass untouched.  Tuples, sets, big integers, lone surrogates, dates, enums, dataclasses, pydantic models, numpy
scalars and arrays are tagged.  Knows nothing of components; `register` adds types that live on higher levels.
"""

from __future__ import annotations

from typing import Any

import msgspec

from . import kinds
from .errors import CannotKeep
from .messages import DELETE, SET, SPLICE, UPDATE, Change
from .registry import SCALARS, StateValue, keepable, register, registry

__all__ = [
    "FROZENSET", "NAMED", "PAIRS", "SCALARS", "SET_", "TUPLE", "StateValue", "decode", "decode_change", "encode", "encode_change",
    "ext_hook", "keepable", "kinds", "pack", "register", "registry",
]  # fmt: skip

TUPLE, SET_, FROZENSET, BIGINT, TEXT, PAIRS, NAMED = 1, 2, 3, 4, 5, 6, 7

_encoder = msgspec.msgpack.Encoder()


def encode(value: Any) -> bytes:
    """Any value that may be state, as msgpack.

    Raises:
        CannotKeep: a value, or something inside it, that has no encoding.
    """
    try:
        try:
            return _encoder.encode(value if type(value) in SCALARS else pack(value))
        except (OverflowError, UnicodeEncodeError):
            return _encoder.encode(pack(value, careful=True))
    except RecursionError:
        raise CannotKeep("A value that contains itself cannot be part of the state.") from None


def decode(data: bytes) -> Any:
    """What `encode` was given."""
    return _decoder.decode(data)


def pack(value: Any, careful: bool = False) -> Any:
    """Something msgspec can encode; `careful` also looks at numbers and texts that do not fit msgpack."""
    kind = type(value)
    if kind in SCALARS:
        return _pack_scalar(value, kind) if careful else value
    kind = registry.alike.get(kind, kind)
    if kind is list:
        return [v if type(v) in SCALARS and not careful else pack(v, careful) for v in value]
    if kind is dict:
        return _pack_dict(value, careful)
    if kind is tuple:
        return _ext(TUPLE, [pack(v, careful) for v in value])
    if kind is set:
        return _ext(SET_, _in_order(value, careful))
    if kind is frozenset:
        return _ext(FROZENSET, _in_order(value, careful))
    return _pack_registered(value, kind, careful)


def _pack_registered(value: Any, kind: type, careful: bool) -> Any:
    entry = registry.find(kind)
    if entry is None:
        raise CannotKeep(f"{kind.__module__}.{kind.__qualname__} cannot be kept")
    return _ext(NAMED, [entry.name, pack(entry.pack(value), careful)])


def _pack_dict(value: dict[Any, Any], careful: bool) -> Any:
    if careful or not all(type(key) is str for key in value):
        return _ext(PAIRS, [[pack(k, careful), pack(v, careful)] for k, v in value.items()])
    return {k: v if type(v) in SCALARS else pack(v) for k, v in value.items()}


def _in_order(value: Any, careful: bool) -> list[Any]:
    """The elements of a set in an order that is the same in every interpreter."""
    packed = [pack(v, careful) for v in value]
    return sorted(packed, key=_encoder.encode)


def _pack_scalar(value: Any, kind: type) -> Any:
    if kind is int and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(BIGINT, str(value).encode() if abs(value) < 10**4000 else hex(value).encode())
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return msgspec.msgpack.Ext(TEXT, value.encode("utf-8", "surrogatepass"))
    return value


def _ext(code: int, packed: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, _encoder.encode(packed))


def ext_hook(code: int, data: memoryview) -> Any:
    """Undo one extension; given to every decoder that reads values."""
    if code == BIGINT:
        text = bytes(data).decode()
        return int(text, 16) if "x" in text else int(text)
    if code == TEXT:
        return bytes(data).decode("utf-8", "surrogatepass")
    inner = _decoder.decode(data)
    if code == TUPLE:
        return tuple(inner)
    if code in (SET_, FROZENSET):
        return set(inner) if code == SET_ else frozenset(inner)
    if code == PAIRS:
        return dict(inner)
    if code == NAMED:
        return registry.restore(*inner)
    raise CannotKeep(f"A value with the unknown tag {code} came in: it was written by a newer version.")


_decoder = msgspec.msgpack.Decoder(ext_hook=ext_hook)
_change_decoder = msgspec.msgpack.Decoder(Change, ext_hook=ext_hook)


# changes ------------------------------------------------------------------------------------------


def encode_change(path: tuple[Any, ...], op: int, value: Any) -> bytes:
    """One Change as msgpack: a snapshot of the value as it is now."""
    if type(value) in SCALARS and op == SET and (len(path) == 1 or all(type(key) in SCALARS for key in path)):
        try:
            return _encoder.encode((path, op, value))
        except (OverflowError, UnicodeEncodeError):
            return _encoder.encode((pack(list(path), careful=True), op, pack(value, careful=True)))
    try:
        return _encoder.encode(([pack(key) for key in path], op, _packed(op, value)))
    except (OverflowError, UnicodeEncodeError):
        return _encoder.encode((pack(list(path), careful=True), op, _packed(op, value, careful=True)))


def decode_change(data: bytes) -> Change:
    """What `encode_change` was given."""
    return _change_decoder.decode(data)


def _packed(op: int, value: Any, careful: bool = False) -> Any:
    if op in (SPLICE, UPDATE):
        return [part if type(part) is int else [pack(item, careful) for item in part] for part in value]
    return None if op == DELETE else pack(value, careful)
