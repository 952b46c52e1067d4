"""What a method takes, read from its signature: described as JSON Schema, and made of what a request brings.  Knows no web framework.

The rules are FastAPI's: single values come from the query, everything else from the body, which is the value itself where only one
parameter wants it and an object of them otherwise.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from ..model.api import RouteError

QUERY, BODY = "query", "body"
SINGLE = (str, int, float, bool, bytes, dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID, enum.Enum)
PYDANTIC = ("pydantic", "pydantic_core", "annotated_types")
REFERENCE = "#/components/schemas/{name}"


class Detail(msgspec.Struct, frozen=True):
    """What is wrong with one value, in the shape FastAPI gives it."""

    loc: tuple[str, ...]
    msg: str
    type: str


class Unfit(Exception):
    """What a request brought does not fit."""

    def __init__(self, details: list[Detail]) -> None:
        super().__init__("; ".join(f"{'.'.join(detail.loc)}: {detail.msg}" for detail in details))
        self.details = details


class Parameter(msgspec.Struct, kw_only=True):
    """One parameter, as clients see it.

    Attributes:
        name: its name.
        place: "query" or "body".
        required: whether it has no default.
        default: its default as JSON, or null.
        schema: JSON Schema of its values.
    """

    name: str
    place: str
    required: bool
    default: Any = None
    schema: dict[str, Any] = {}


class Parameters:
    """What one method takes.

    Args:
        method: bound, or a plain function.

    Raises:
        RouteError: (ValueError) it takes something that no request can bring.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.kinds: dict[str, Any] = {}
        self.listed: list[Parameter] = []
        self.others = False  # it takes any keyword
        self._converts: dict[str, Callable[[Any], Any]] = {}
        self.schemas: dict[str, Any] = {}  # of models, by name
        name = getattr(method, "__qualname__", repr(method))
        for parameter in resolved(method).parameters.values():
            self._add(name, parameter)
        self.bodies = [parameter for parameter in self.listed if parameter.place == BODY]
        self._places = {parameter.name: parameter.place for parameter in self.listed}

    def _add(self, where: str, parameter: inspect.Parameter) -> None:
        if parameter.kind is parameter.VAR_KEYWORD:
            self.others = True
            return
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise RouteError(f"{where} takes {parameter.name!r} by position only, which a request cannot give.")
        if parameter.kind is parameter.VAR_POSITIONAL:
            return
        kind = Any if parameter.annotation is parameter.empty else parameter.annotation
        try:
            convert, schema, schemas = _read(kind)
        except Exception as error:
            raise RouteError(f"{where} takes {parameter.name!r} of a type that no request can bring: {error}") from None
        self.kinds[parameter.name], self._converts[parameter.name] = kind, convert
        self.schemas.update(schemas)
        given = parameter.default is not parameter.empty
        default = _as_json(parameter.default) if given else None
        place = QUERY if is_single(kind) else BODY
        self.listed.append(
            Parameter(name=parameter.name, place=place, required=not given, default=default, schema=schema)
        )

    def take(self, query: Mapping[str, list[str]], body: Any = msgspec.UNSET) -> dict[str, Any]:
        """The arguments that a request brings.

        Args:
            query: values by name, in order.
            body: of the request, from JSON; UNSET: it had none.

        Raises:
            Unfit: something is missing, unknown or of another type.
        """
        given, details = self._given(query, body)
        arguments: dict[str, Any] = {}
        for parameter in self.listed:
            place = (parameter.place, *([parameter.name] if parameter.place == QUERY or len(self.bodies) > 1 else []))
            if parameter.name not in given:
                if parameter.required:
                    details.append(Detail(place, "Field required", "missing"))
                continue
            try:
                arguments[parameter.name] = self._converts[parameter.name](given.pop(parameter.name))
            except Exception as error:
                details += _details(place, error)
        if self.others:
            arguments.update(given)
        else:
            details += [Detail((QUERY, name), "There is no such parameter", "unknown") for name in given]
        if details:
            raise Unfit(details)
        return arguments

    def _given(self, query: Mapping[str, list[str]], body: Any) -> tuple[dict[str, Any], list[Detail]]:
        given: dict[str, Any] = {}
        if body is not msgspec.UNSET:
            if len(self.bodies) == 1:
                given[self.bodies[0].name] = body
            elif isinstance(body, dict):
                given.update(body)  # without a parameter of its own the body may as well bring single values
            elif self.bodies or body is not None:
                return given, [Detail((BODY,), "Input should be an object", "dict_type")]
        given.update({name: values[-1] for name, values in query.items() if self._places.get(name) != BODY})
        return given, []

    def operation(self) -> dict[str, Any]:
        """The `parameters` and `requestBody` of an OpenAPI operation."""
        made: dict[str, Any] = {}
        queries = [parameter for parameter in self.listed if parameter.place == QUERY]
        if queries:
            made["parameters"] = [
                {"name": each.name, "in": QUERY, "required": each.required, "schema": _with_default(each)}
                for each in queries
            ]
        if self.bodies:
            made["requestBody"] = {
                "required": any(each.required for each in self.bodies),
                "content": {"application/json": {"schema": self._body_schema()}},
            }
        return made

    def _body_schema(self) -> dict[str, Any]:
        if len(self.bodies) == 1:
            return _with_default(self.bodies[0])
        return {
            "type": "object",
            "properties": {each.name: _with_default(each) for each in self.bodies},
            "required": [each.name for each in self.bodies if each.required],
        }


def resolved(method: Callable[..., Any]) -> inspect.Signature:
    """The signature of a method with its annotations as types, also under `from __future__ import annotations`.

    Raises:
        RouteError: (ValueError) an annotation names something that is not there.
    """
    signature = inspect.signature(method)
    called = method if inspect.isroutine(method) else type(method).__call__
    try:
        hints = typing.get_type_hints(inspect.unwrap(getattr(called, "__func__", called)), include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        name = getattr(method, "__qualname__", repr(method))
        raise RouteError(
            f"An annotation of {name} cannot be read: {error}. Define what it names in its module."
        ) from None
    parameters = [each.replace(annotation=hints.get(each.name, each.empty)) for each in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=hints.get("return", signature.empty))


def is_single(kind: Any) -> bool:
    """Whether values of this type are single ones, which a query can bring."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return is_single(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return all(is_single(part) for part in typing.get_args(kind))
    if origin is Literal or kind in (Any, None, type(None), inspect.Parameter.empty):
        return True
    return origin is None and isinstance(kind, type) and issubclass(kind, SINGLE)


def is_pydantic(kind: Any) -> bool:
    """Whether only pydantic knows what this type means."""
    if getattr(type(kind), "__module__", "").split(".")[0] in PYDANTIC or hasattr(kind, "__get_pydantic_core_schema__"):
        return True
    if isinstance(kind, type) and kind.__module__.split(".")[0] in PYDANTIC:
        return True
    return any(is_pydantic(part) for part in (*typing.get_args(kind), *getattr(kind, "__metadata__", ())))


Convert = Callable[[Any], Any]


def _read(kind: Any) -> tuple[Convert, dict[str, Any], dict[str, Any]]:
    """How a value of this type is made of JSON or text, its schema, and the schemas of the models in it."""
    if kind in (Any, inspect.Parameter.empty):
        return lambda value: value, {}, {}
    if is_pydantic(kind):
        from pydantic import TypeAdapter

        adapter: Any = TypeAdapter(kind)
        schema = adapter.json_schema(ref_template="#/components/schemas/{model}")
        parts = schema.pop("$defs", {})
        return adapter.validate_python, schema, parts
    (schema,), parts = msgspec.json.schema_components([kind], ref_template=REFERENCE)
    return lambda value: _convert(value, kind), schema, parts


def _convert(value: Any, kind: Any) -> Any:
    """Texts of a query may stand for numbers; a text that already fits stays one."""
    if kind is bool and isinstance(value, str) and value.lower() in SWITCHES:
        return SWITCHES[value.lower()]
    return msgspec.convert(value, kind, strict=not isinstance(value, str))


SWITCHES = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


def _details(place: tuple[str, ...], error: Exception) -> list[Detail]:
    """One sentence for each thing that is wrong, with pydantic's places."""
    errors = getattr(error, "errors", None)
    if callable(errors):
        return [Detail((*place, *map(str, each["loc"])), each["msg"], each["type"]) for each in errors()]
    return [Detail(place, str(error), "type_error")]


def _with_default(parameter: Parameter) -> dict[str, Any]:
    return parameter.schema if parameter.required else {**parameter.schema, "default": parameter.default}


def _as_json(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    try:
        return msgspec.to_builtins(dump(mode="json") if callable(dump) else value, enc_hook=repr)
    except Exception:
        return repr(value)
