"""Values to bytes and back, keeping their types: msgpack, with tagged extensions for what msgpack alone would change.

JSON's types pass untouched.  Tuples, sets, big integers, lone surrogates, dates, enums, dataclasses, pydantic models, numpy
scalars and arrays are tagged.  Knows nothing of components; `register` adds types that live on higher levels.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import importlib
import sys
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from .errors import CannotKeep
from .messages import DELETE, SET, SPLICE, UPDATE

SCALARS = frozenset({type(None), bool, int, float, str, bytes})
TUPLE, SET_, FROZENSET, BIGINT, TEXT, PAIRS, NAMED = 1, 2, 3, 4, 5, 6, 7

_encoder = msgspec.msgpack.Encoder()
_plain_decoder = msgspec.msgpack.Decoder()


class StateValue(NamedTuple):
    """How one type becomes plain values and comes back.

    Attributes:
        name: what it is called on the wire; never change it.
        kind: the type (subclasses are not included).
        pack: value to something encodable.
        unpack: and back.
        mutable: whether it can change in place; such values are compared by their encoding.
    """

    name: str
    kind: type
    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]
    mutable: bool = False


class Registry:
    """The types that may be state besides JSON's: exact types, and families told by a test."""

    def __init__(self) -> None:
        self.by_type: dict[type, StateValue] = {}
        self.by_name: dict[str, StateValue] = {}
        self.families: list[tuple[Callable[[type], bool], Callable[[type], StateValue]]] = []
        self.family_unpack: dict[str, Callable[[Any], Any]] = {}
        self.alike: dict[type, type] = {}  # tracked containers are encoded as the plain ones

    def add(self, entry: StateValue) -> None:
        self.by_type[entry.kind] = self.by_name[entry.name] = entry

    def find(self, kind: type) -> StateValue | None:
        """The entry for exactly this type; a family's member is looked up once and remembered."""
        entry = self.by_type.get(kind)
        if entry is None:
            for belongs, make in self.families:
                if belongs(kind):
                    entry = self.by_type[kind] = make(kind)
                    break
        return entry

    def restore(self, name: str, packed: Any) -> Any:
        entry = self.by_name.get(name)
        if entry is not None:
            return entry.unpack(packed)
        unpack = self.family_unpack.get(name)
        if unpack is None:
            raise CannotKeep(f"A value of the registered kind {name!r} came in, which nothing here can read.")
        return unpack(packed)


registry = Registry()


def register(
    name: str, kind: type, pack: Callable[[Any], Any], unpack: Callable[[Any], Any], mutable: bool = False
) -> None:
    """Let values of exactly this type be state, under a name that must never change."""
    registry.add(StateValue(name, kind, pack, unpack, mutable))


def keepable(kind: type) -> bool:
    """Whether a leaf of this type can be kept (containers are looked into by their owner)."""
    return kind in SCALARS or registry.find(kind) is not None


# encoding -------------------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    """Any value that may be state, as msgpack.

    Raises:
        CannotKeep: a value, or something inside it, that has no encoding.
    """
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


# changes ------------------------------------------------------------------------------------------


def encode_change(path: tuple[Any, ...], op: int, value: Any) -> bytes:
    """One Change as msgpack: a snapshot of the value as it is now."""
    if type(value) in SCALARS and op == SET:
        try:
            return _encoder.encode((path, op, value))
        except (OverflowError, UnicodeEncodeError):
            return _encoder.encode((pack(list(path), careful=True), op, pack(value, careful=True)))
    try:
        return _encoder.encode(([pack(key) for key in path], op, _packed(op, value)))
    except (OverflowError, UnicodeEncodeError):
        return _encoder.encode((pack(list(path), careful=True), op, _packed(op, value, careful=True)))


def _packed(op: int, value: Any, careful: bool = False) -> Any:
    if op in (SPLICE, UPDATE):
        return [part if type(part) is int else [pack(item, careful) for item in part] for part in value]
    return None if op == DELETE else pack(value, careful)


# the types that come with Python, and families of them -----------------------------------------------------


def locate(module: str, qualname: str) -> Any:
    """The class of this name, imported if need be."""
    found: Any = sys.modules.get(module) or importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def _class(kind: type) -> list[str]:
    return [kind.__module__, kind.__qualname__]


register(
    "datetime",
    dt.datetime,
    lambda v: [v.isoformat(), v.fold],
    lambda p: dt.datetime.fromisoformat(p[0]).replace(fold=p[1]),
)
register("date", dt.date, lambda v: v.isoformat(), dt.date.fromisoformat)
register("time", dt.time, lambda v: [v.isoformat(), v.fold], lambda p: dt.time.fromisoformat(p[0]).replace(fold=p[1]))
register("timedelta", dt.timedelta, lambda v: [v.days, v.seconds, v.microseconds], lambda p: dt.timedelta(*p))
register("decimal", decimal.Decimal, str, decimal.Decimal)
register("uuid", uuid.UUID, str, uuid.UUID)
register("complex", complex, lambda v: [v.real, v.imag], lambda p: complex(*p))
register("bytearray", bytearray, bytes, bytearray, mutable=True)
register("counter", Counter, dict, Counter, mutable=True)
register("ordereddict", OrderedDict, lambda v: [[k, x] for k, x in v.items()], OrderedDict, mutable=True)
register("deque", deque, lambda v: [list(v), v.maxlen], lambda p: deque(*p), mutable=True)
register("range", range, lambda v: [v.start, v.stop, v.step], lambda p: range(*p))


def _family(
    name: str, belongs: Callable[[type], bool], pack_: Callable[[Any], Any], unpack: Callable[[Any], Any], mutable: bool
) -> None:
    registry.families.append((belongs, lambda kind: StateValue(name, kind, pack_, unpack, mutable)))
    registry.family_unpack[name] = unpack


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}


def _make_dataclass(packed: Any) -> Any:
    """A dataclass as it was, without running `__init__` (whose arguments may differ from the fields)."""
    module, qualname, fields = packed
    made = object.__new__(locate(module, qualname))
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _make_model(packed: Any) -> Any:
    module, qualname, fields = packed
    return locate(module, qualname).model_validate(fields)


def _make_array(packed: Any) -> Any:
    dtype, shape, data = packed
    numpy = sys.modules.get("numpy") or importlib.import_module("numpy")
    return numpy.frombuffer(bytearray(data), dtype=numpy.dtype(dtype)).reshape(shape)


def _make_number(packed: Any) -> Any:
    return _make_array([packed[0], [1], packed[1]])[0]


def _is_numpy(kind: type, base: str) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and kind.__module__ == "numpy" and issubclass(kind, getattr(numpy, base))


def _is_pydantic(kind: type) -> bool:
    return hasattr(kind, "model_fields") and hasattr(kind, "model_validate")


_family(
    "enum",
    lambda k: issubclass(k, enum.Enum),
    lambda v: [*_class(type(v)), v.name],
    lambda p: locate(p[0], p[1])[p[2]],
    False,
)
_family(
    "namedtuple",
    lambda k: issubclass(k, tuple) and hasattr(k, "_fields"),
    lambda v: [*_class(type(v)), list(v)],
    lambda p: locate(p[0], p[1])._make(p[2]),
    True,
)
_family(
    "pydantic",
    _is_pydantic,
    lambda v: [*_class(type(v)), {n: getattr(v, n) for n in type(v).model_fields}],
    _make_model,
    True,
)
_family(
    "dataclass",
    lambda k: hasattr(k, "__dataclass_fields__"),
    lambda v: [*_class(type(v)), _fields(v)],
    _make_dataclass,
    True,
)
_family(
    "ndarray", lambda k: _is_numpy(k, "ndarray"), lambda v: [v.dtype.str, list(v.shape), v.tobytes()], _make_array, True
)
_family("npscalar", lambda k: _is_numpy(k, "generic"), lambda v: [v.dtype.str, v.tobytes()], _make_number, False)
_family(
    "str", lambda k: issubclass(k, str), lambda v: [*_class(type(v)), str(v)], lambda p: locate(p[0], p[1])(p[2]), False
)
_family(
    "int", lambda k: issubclass(k, int), lambda v: [*_class(type(v)), int(v)], lambda p: locate(p[0], p[1])(p[2]), False
)
_family(
    "float",
    lambda k: issubclass(k, float),
    lambda v: [*_class(type(v)), float(v)],
    lambda p: locate(p[0], p[1])(p[2]),
    False,
)
