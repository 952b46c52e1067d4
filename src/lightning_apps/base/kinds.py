"""The types that may be state without anybody's doing: Python's own, enums, dataclasses, pydantic models, numpy's.

Neither numpy nor pydantic is imported here: a value of theirs exists only where its library was.
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
from typing import Any

import msgspec

from .registry import StateValue, locate, register, registry
from .rich import make_array, pack_array

HOLDERS = (list, tuple, dict, set, frozenset, str, bytes, int, float)  # whose own content fields would not hold


def _class(kind: type) -> list[str]:
    return [kind.__module__, kind.__qualname__]


def _pack_time(value: Any) -> list[Any]:
    """A time or datetime: zones of the time zone database by their name, others by their offset."""
    zone = getattr(value.tzinfo, "key", None)
    return [(value if zone is None else value.replace(tzinfo=None)).isoformat(), value.fold, zone]


def _make_time(kind: Any, packed: Any) -> Any:
    made = kind.fromisoformat(packed[0]).replace(fold=packed[1])
    return made if packed[2] is None else made.replace(tzinfo=importlib.import_module("zoneinfo").ZoneInfo(packed[2]))


register("datetime", dt.datetime, _pack_time, lambda p: _make_time(dt.datetime, p))
register("date", dt.date, lambda v: v.isoformat(), dt.date.fromisoformat)
register("time", dt.time, _pack_time, lambda p: _make_time(dt.time, p))
register("timedelta", dt.timedelta, lambda v: [v.days, v.seconds, v.microseconds], lambda p: dt.timedelta(*p))
register("decimal", decimal.Decimal, str, decimal.Decimal)
register("uuid", uuid.UUID, str, uuid.UUID)
register("complex", complex, lambda v: [v.real, v.imag], lambda p: complex(*p))
register("bytearray", bytearray, bytes, bytearray, mutable=True)
register("counter", Counter, dict, Counter, mutable=True, inside=dict)
register("ordereddict", OrderedDict, lambda v: [[k, x] for k, x in v.items()], OrderedDict, mutable=True, inside=dict)
register("deque", deque, lambda v: [list(v), v.maxlen], lambda p: deque(*p), mutable=True, inside=list)
register("range", range, lambda v: [v.start, v.stop, v.step], lambda p: range(*p))


def _no_others(value: Any) -> None:
    """Values of this family hold none."""


def _family(
    name: str,
    belongs: Callable[[type], bool],
    pack: Callable[[Any], Any],
    unpack: Callable[[Any], Any],
    inside: Callable[[Any], Any] | None = None,
) -> None:
    """A family whose values hold others (`inside`) can change in place."""
    registry.families.append(
        (belongs, lambda kind: StateValue(name, kind, pack, unpack, inside is not None, inside or _no_others))
    )
    registry.family_unpack[name] = unpack


def _located(belongs: Callable[[type], bool]) -> Callable[[type], bool]:
    """Only classes that another process finds by their name: none that was made inside a function."""
    return lambda kind: belongs(kind) and _can_be_found(kind)


def _can_be_found(kind: type) -> bool:
    try:
        return isinstance(locate(*_class(kind)), type)
    except (ImportError, AttributeError, ValueError):
        return False


def _fields(value: Any) -> dict[str, Any]:
    """The fields that are set; class variables and arguments of `__init__` only are none."""
    fields = sys.modules["dataclasses"].fields(value)
    return {field.name: getattr(value, field.name) for field in fields if hasattr(value, field.name)}


def _make_dataclass(packed: Any) -> Any:
    """A dataclass as it was, without running `__init__` (whose arguments may differ from the fields)."""
    module, qualname, fields = packed
    made = object.__new__(locate(module, qualname))
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _pack_model(value: Any) -> list[Any]:
    state = value.__getstate__()
    fields = {name: item for name, item in state["__dict__"].items() if name in type(value).model_fields}
    given = state["__pydantic_fields_set__"]
    return [*_class(type(value)), fields, given, state["__pydantic_extra__"], state["__pydantic_private__"]]


def _make_model(packed: Any) -> Any:
    """A pydantic model as it was, unvalidated; fields that its class has got since take their defaults."""
    module, qualname, fields, given, extra, private = packed
    kind = locate(module, qualname)
    absent = {
        name: field for name, field in kind.model_fields.items() if name not in fields and not field.is_required()
    }
    defaults = {name: field.get_default(call_default_factory=True) for name, field in absent.items()}
    made = kind.__new__(kind)
    made.__setstate__(
        {
            "__dict__": {**defaults, **fields},
            "__pydantic_fields_set__": given,
            "__pydantic_extra__": extra,
            "__pydantic_private__": private,
        }
    )
    return made


def _inside_model(value: Any) -> list[Any]:
    return _pack_model(value)[2:]


def _struct_fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _pack_struct(value: Any) -> list[Any]:
    return [*_class(type(value)), _struct_fields(value)]


def _make_struct(packed: Any) -> Any:
    """A msgspec Struct; fields that its class has got since take their defaults, those it has no more are left out."""
    kind = locate(packed[0], packed[1])
    return kind(**{name: value for name, value in packed[2].items() if name in kind.__struct_fields__})


def _pack_number(value: Any) -> list[Any]:
    dtype, _, data = pack_array(value)
    return [dtype, data]


def _make_number(packed: Any) -> Any:
    return make_array([packed[0], [1], packed[1]])[0]


def _is_number(kind: type) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None or kind.__module__ != "numpy" or not issubclass(kind, numpy.generic):
        return False
    return not issubclass(kind, (str, bytes))


def _is_pydantic(kind: type) -> bool:
    return hasattr(kind, "__pydantic_fields_set__") and hasattr(kind, "model_fields")


def _is_dataclass(kind: type) -> bool:
    """One that is no list, dict or number besides, which its fields would not hold."""
    return hasattr(kind, "__dataclass_fields__") and not issubclass(kind, HOLDERS)


def _pack_enum(value: Any) -> list[Any]:
    """By name; combined flags have none and go by their value."""
    single = value.name in type(value).__members__
    return [*_class(type(value)), value.name if single else None, None if single else value.value]


def _make_enum(packed: Any) -> Any:
    kind = locate(packed[0], packed[1])
    return kind(packed[3]) if packed[2] is None else kind[packed[2]]


def _pack_like(plain: Any) -> Callable[[Any], Any]:
    return lambda value: [*_class(type(value)), plain(value)]


def _make_like(packed: Any) -> Any:
    return locate(packed[0], packed[1])(packed[2])


_family("enum", _located(lambda k: issubclass(k, enum.Enum)), _pack_enum, _make_enum)
_family(
    "namedtuple",
    _located(lambda k: issubclass(k, tuple) and hasattr(k, "_fields")),
    lambda v: [*_class(type(v)), list(v)],
    lambda p: locate(p[0], p[1])._make(p[2]),
    inside=list,
)
_family("pydantic", _located(_is_pydantic), _pack_model, _make_model, inside=_inside_model)
_family("dataclass", _located(_is_dataclass), lambda v: [*_class(type(v)), _fields(v)], _make_dataclass, inside=_fields)
_family("struct", _located(lambda k: issubclass(k, msgspec.Struct)), _pack_struct, _make_struct, inside=_struct_fields)
_family("npscalar", _is_number, _pack_number, _make_number)
_family("str", _located(lambda k: issubclass(k, str)), _pack_like(str.__str__), _make_like)
_family("int", _located(lambda k: issubclass(k, int)), _pack_like(int.__int__), _make_like)
_family("float", _located(lambda k: issubclass(k, float)), _pack_like(float.__float__), _make_like)
_family("bytes", _located(lambda k: issubclass(k, bytes)), _pack_like(lambda v: bytes(memoryview(v))), _make_like)
