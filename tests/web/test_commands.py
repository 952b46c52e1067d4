"""Commands of an app over HTTP: what they take is read from their signatures."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import json
from typing import Any, Literal, Optional

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.applications import Starlette

from lightning_apps.model.api import ClientCommand
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.offer import offer_of
from lightning_apps.web import commands
from lightning_apps.web.parameters import Parameters, Unfit


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Config(BaseModel):
    name: str
    rate: float = 0.5


class Train(ClientCommand):
    """Train on this machine's data."""

    requirements = ["numpy"]

    def run(self, **cli_kwargs: Any) -> Any:
        return self.invoke_handler(Config(name="x"))


class Root(LightningFlow):
    def __init__(self, listed: Any = None) -> None:
        super().__init__()
        self._listed = listed

    def run(self) -> None:
        """Nothing to coordinate."""

    def configure_commands(self) -> Any:
        return self._listed(self) if self._listed else [{"add user": self.add}, {"train": Train(self.train)}]

    def add(self, name: str, age: int = 3, admin: bool = False, size: Size = Size.SMALL, tags: list[str] = []) -> Any:  # noqa: B006
        """Add a user."""
        return [name, age, admin, size.name, tags]

    def train(self, config: Config) -> Any:
        """Train with this configuration."""
        return config

    def fail(self) -> None:
        raise ValueError("broken")

    def odd(self) -> Any:
        return object()


class Desk:
    def __init__(self, root: LightningFlow) -> None:
        self.root = root

    async def ask(self, component: str, method: str, args: Any, kwargs: Any, *, timeout: float | None = 30.0) -> Any:
        return getattr(self.root, method)(**kwargs)


def ask(verb: str, path: str, root: Root | None = None, complaints: list[str] | None = None, **options: Any) -> Any:
    root = root or Root()
    app = Starlette(routes=commands.routes_of(offer_of(root).commands, Desk(root), (complaints or []).append))

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            return await client.request(verb, path, **options)

    return asyncio.run(send())


def test_a_command_takes_its_arguments_from_the_query_and_the_body() -> None:
    answer = ask("POST", "/command/add_user?name=ada&age=5&admin=yes&size=l", json=["x", "y"])

    assert (answer.status_code, answer.json()) == (200, ["ada", 5, True, "LARGE", ["x", "y"]])


def test_a_model_is_the_body_and_an_answer_may_be_one() -> None:
    assert ask("POST", "/command/train", json={"name": "a"}).json() == {"name": "a", "rate": 0.5}


def test_everything_that_does_not_fit_is_said_at_once() -> None:
    answer = ask("POST", "/command/add_user?age=old&shoe=5")

    assert answer.status_code == 422
    assert [each["loc"] for each in answer.json()["detail"]] == [["query", "name"], ["query", "age"], ["query", "shoe"]]


def test_a_body_that_is_no_json_is_refused() -> None:
    assert ask("POST", "/command/train", content=b"{").json()["detail"][0]["type"] == "json_invalid"


def test_a_command_that_fails_says_so_without_its_traceback() -> None:
    complaints: list[str] = [""]
    root = Root(lambda root: [{"fail": root.fail}, {"odd": root.odd}])

    answer, odd = ask("POST", "/command/fail", root, complaints), ask("POST", "/command/odd", root)

    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})
    assert "ValueError: broken" in complaints[1]
    assert odd.status_code == 500


def test_an_unknown_command_is_told_which_there_are() -> None:
    answer = ask("POST", "/command/nothing")

    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "The app has no command 'nothing'; it has: add_user, train.",
    )


def test_clients_are_told_what_there_is() -> None:
    add, train = ask("GET", "/api/v1/commands").json()["commands"]

    assert (add["name"], add["path"], add["description"], add["client"]) == (
        "add user",
        "add_user",
        "Add a user.",
        None,
    )
    assert [(each["name"], each["required"], each["default"]) for each in add["parameters"]] == [
        ("name", True, None),
        ("age", False, 3),
        ("admin", False, False),
        ("size", False, "s"),
        ("tags", False, []),
    ]
    assert train["client"] == {"class": "Train", "requirements": ["numpy"]}


def test_the_file_of_a_command_can_be_had_by_who_may_run_it() -> None:
    found = ask("GET", "/api/v1/commands/train/code").json()

    assert found["class"] == "Train"
    assert "class Train(ClientCommand)" in found["source"]
    assert ask("GET", "/api/v1/commands/add_user/code").status_code == 404


def test_commands_describe_themselves_for_openapi() -> None:
    described = commands.openapi(offer_of(Root()).commands)

    operation = described["paths"]["/command/train"]["post"]
    assert operation["tags"] == ["app_client_command"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["required"] == ["name"]
    assert json.dumps(described)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (["add"], "return a list such as"),
        ("add", "no list"),
        ([{"": print}], "cannot be the name"),
        ([{"a/b": print}], "cannot be the name"),
        ([{"a": 5}], "give a method"),
        ([{"a": Train}], "give a method"),
        ([{"a b": print}, {"a_b": print}], "two commands"),
    ],
)
def test_what_is_no_command_is_refused(returned: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        offer_of(Root(lambda root: returned))


def everything(
    text: str,
    number: int,
    part: float,
    switch: bool,
    choice: Literal["a", "b"],
    day: dt.date,
    maybe: Optional[int] = None,  # noqa: UP045
    items: Optional[list[int]] = None,  # noqa: UP045
) -> None: ...


@given(
    st.fixed_dictionaries(
        {
            "text": st.text(),
            "number": st.integers(-(2**63), 2**63 - 1),
            "part": st.floats(allow_nan=False),
            "switch": st.booleans(),
            "choice": st.sampled_from(["a", "b"]),
            "day": st.dates(),
        },
        optional={"maybe": st.integers(0, 2**31), "items": st.lists(st.integers(0, 9))},
    )
)
def test_what_is_written_into_a_query_comes_out_as_it_was(arguments: dict[str, Any]) -> None:
    query = {name: [str(value)] for name, value in arguments.items() if name != "items"}
    body = {"body": arguments["items"]} if "items" in arguments else {}

    assert Parameters(everything).take(query, **body) == arguments


@given(
    st.dictionaries(st.text(), st.lists(st.text(), min_size=1)),
    st.recursive(st.none() | st.integers() | st.text(), st.lists),
)
def test_whatever_a_request_brings_is_taken_or_refused(query: dict[str, list[str]], body: Any) -> None:
    try:
        taken = Parameters(everything).take(query, body)
    except Unfit as unfit:
        assert unfit.details
    else:
        assert set(taken) <= {parameter.name for parameter in Parameters(everything).listed}


def test_parameters_that_no_request_can_bring_are_refused() -> None:
    def by_position(name: str, /) -> None: ...
    def strange(thing: LightningFlow) -> None: ...

    for method in (by_position, strange):
        with pytest.raises(ValueError, match="request can"):
            Parameters(method)
