"""Options of app commands: made of what the app says, and back into a request that it understands."""

from __future__ import annotations

import enum
from typing import Any, Literal, Optional

import click
import msgspec
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from lightning_apps.cli.options import options_of, request_of
from lightning_apps.web.parameters import Parameters


class Inner(BaseModel):
    depth: int = 1


class Config(BaseModel):
    name: str
    rate: float = 0.5
    flags: list[int] = []
    inner: Inner = Inner()


class Size(enum.Enum):
    SMALL = "s"


def simple(
    name: str, age: int = 3, loud: bool = False, size: Size = Size.SMALL, mode: Literal["a", "b"] = "a"
) -> None: ...


def model(config: Config, dry_run: bool = False) -> None: ...


def lists(tags: Optional[list[str]] = None) -> None: ...  # noqa: UP045


def two(first: list[int], second: dict[str, int], name: str = "n") -> None: ...


def anything(value: Any, other: Optional[int] = None) -> None: ...  # noqa: UP045


def typed(method: Any, *words: str) -> Any:
    """What the app's method is called with when these words are typed; the failure's text where they do not fit."""
    parameters = Parameters(method)
    listed = msgspec.to_builtins({"parameters": parameters.listed, "schemas": parameters.schemas})
    wanted, taken = options_of(listed), []

    def body(**values: Any) -> None:
        query, sent = request_of(listed, wanted, values)
        body = msgspec.UNSET if sent is msgspec.UNSET else msgspec.json.decode(msgspec.json.encode(sent))
        taken.append(parameters.take({name: [value] for name, value in query.items()}, body))

    command = click.Command("x", callback=body, params=[each.option for each in wanted])
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    return taken[0] if taken else result.output


@pytest.mark.parametrize(
    ("method", "words", "arguments"),
    [
        (simple, ["--name=a"], {"name": "a"}),
        (simple, ["--name", "5", "--age", "7", "--loud"], {"name": "5", "age": 7, "loud": True}),
        (simple, ["--name=ä&b", "--loud=false", "--size=s"], {"name": "ä&b", "loud": False, "size": Size.SMALL}),
        (simple, ["--name=", "--mode", "b"], {"name": "", "mode": "b"}),
        (model, ["--name=x", "--rate", "2"], {"config": Config(name="x", rate=2.0)}),
        (model, ["--name=x", "--flags=1", "--flags=2"], {"config": Config(name="x", flags=[1, 2])}),
        (model, ["--name=x", "--inner", '{"depth": 4}'], {"config": Config(name="x", inner=Inner(depth=4))}),
        (model, ["--name=x", "--dry-run"], {"config": Config(name="x"), "dry_run": True}),
        (lists, [], {}),
        (lists, ["--tags=a", "--tags", "b"], {"tags": ["a", "b"]}),
        (two, ["--first=1", "--second", '{"a": 2}', "--name=q"], {"first": [1], "second": {"a": 2}, "name": "q"}),
        (anything, ["--value=plain"], {"value": "plain"}),
        (anything, ["--value=plain", "--other=4"], {"value": "plain", "other": 4}),
    ],
)
def test_what_is_typed_arrives(method: Any, words: list[str], arguments: dict[str, Any]) -> None:
    assert typed(method, *words) == arguments


@pytest.mark.parametrize(
    ("method", "words", "said"),
    [
        (simple, [], "Missing option '--name'"),
        (simple, ["--name=a", "--age=x"], "'x' is not a valid integer"),
        (simple, ["--name=a", "--mode=c"], "'c' is not one of 'a', 'b'"),
        (simple, ["--name=a", "--nonsense=5"], "No such option"),
        (two, ["--first=1", "--second=no"], "is no JSON"),
    ],
)
def test_what_does_not_fit_is_said_before_the_app_is_asked(method: Any, words: list[str], said: str) -> None:
    assert said in typed(method, *words)


def test_defaults_and_requirements_stand_in_the_help() -> None:
    shown = typed(simple, "--help")

    assert "--name TEXT" in shown and "[required]" in shown
    assert "(default: 3)" in shown and "[a|b]" in shown
