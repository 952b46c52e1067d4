"""Options of the command line, made of what an app says of a command's parameters, and back into a request.  Knows no app."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # which older versions cannot subscribe

Schema = dict[str, Any]
TYPES: dict[str, ParamType] = {"integer": click.INT, "number": click.FLOAT, "boolean": click.BOOL}


class Json(ParamType):
    """A value as JSON; what is none counts as text where texts may stand."""

    name = "json"

    def __init__(self, text_too: bool) -> None:
        self._text_too = text_too

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            if self._text_too:
                return value
            self.fail(f"{value!r} is no JSON.", param, ctx)


class Wanted(NamedTuple):
    """One option and what its value is part of: a parameter, or a field of one."""

    option: click.Option
    parameter: str
    field: str | None


def options_of(command: Mapping[str, Any]) -> list[Wanted]:
    """The options of a command."""
    schemas = command.get("schemas", {})
    bodies = [each for each in command["parameters"] if each["place"] == "body"]
    found = []
    for parameter in command["parameters"]:
        schema = _inner(parameter["schema"], schemas)
        fields = schema.get("properties")
        if parameter["place"] == "body" and len(bodies) == 1 and fields and not _is_optional(parameter["schema"]):
            required = schema.get("required", []) if parameter["required"] else []
            found += [
                Wanted(_option(name, each, schemas, name in required, each.get("default")), parameter["name"], name)
                for name, each in fields.items()
            ]
        else:
            option = _option(
                parameter["name"], parameter["schema"], schemas, parameter["required"], parameter["default"]
            )
            found.append(Wanted(option, parameter["name"], None))
    return found


def request_of(
    command: Mapping[str, Any], wanted: list[Wanted], values: Mapping[str, Any]
) -> tuple[dict[str, str], Any]:
    """Query and body of a request, from the values of the options; what was not given is left to the app."""
    places = {each["name"]: each["place"] for each in command["parameters"]}
    bodies = [name for name, place in places.items() if place == "body"]
    query: dict[str, str] = {}
    body: dict[str, Any] = {}
    for option, parameter, field in wanted:
        value = values.get(str(option.name))
        if value is None or value == ():
            continue
        value = list(value) if isinstance(value, tuple) else value
        if field is not None:
            body.setdefault(parameter, {})[field] = value
        elif places[parameter] == "body":
            body[parameter] = value
        else:
            query[parameter] = _text(value)
    if any(field is not None for _, _, field in wanted):
        body.setdefault(bodies[0], {})
    if not body:
        return query, msgspec.UNSET
    return query, body[bodies[0]] if len(bodies) == 1 else body


def _option(name: str, schema: Schema, schemas: Schema, required: bool, default: Any) -> click.Option:
    inner = _inner(schema, schemas)
    plain = f"--{name}"
    words = [plain] if "_" not in name else [plain, plain.replace("_", "-")]
    attributes: dict[str, Any] = {"required": required, "help": _help(inner, required, default)}
    if inner.get("type") == "array" and _single(_inner(inner.get("items", {}), schemas)):
        attributes |= {"multiple": True, "type": _type(_inner(inner.get("items", {}), schemas))}
    else:
        attributes["type"] = _type(inner)
    if inner.get("type") == "boolean":
        attributes |= {"is_flag": False, "flag_value": True}
    return click.Option([f"option_{name}", *words], **attributes)


def _inner(schema: Schema, schemas: Schema) -> Schema:
    """What a reference means, and what an optional value is if it is given."""
    seen = 0
    while seen < 20:
        seen += 1
        if "$ref" in schema:
            schema = schemas.get(str(schema["$ref"]).rpartition("/")[2], {})
        elif len(present := [each for each in schema.get("anyOf", []) if each.get("type") != "null"]) == 1:
            schema = present[0]
        else:
            break
    return schema


def _is_optional(schema: Schema) -> bool:
    return any(each.get("type") == "null" for each in schema.get("anyOf", []))


def _single(schema: Schema) -> bool:
    return schema.get("type") in ("string", "integer", "number", "boolean") or "enum" in schema


def _type(schema: Schema) -> ParamType:
    if "enum" in schema and all(isinstance(each, str) for each in schema["enum"]):
        return click.Choice(schema["enum"])
    if schema.get("type") in TYPES:
        return TYPES[schema["type"]]
    return click.STRING if schema.get("type") == "string" else Json(text_too=schema.get("type") is None)


def _help(schema: Schema, required: bool, default: Any) -> str:
    said = str(schema.get("description") or "").strip()
    if not required and default is not None:
        said = f"{said} (default: {_text(default)})".strip()
    return said


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
