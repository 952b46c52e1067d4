"""Routes, commands and the app's introduction: shapes only."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_apps.model.api import ClientCommand, Delete, Get, Post, Put
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.info import AppInfo


class Child(LightningFlow):
    def add(self, name: str) -> str:
        """Add a name."""
        return name


class Root(LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.child = Child()


def function() -> None: ...


@pytest.mark.parametrize(("kind", "verb"), [(Get, "GET"), (Post, "POST"), (Put, "PUT"), (Delete, "DELETE")])
def test_a_route_knows_its_method_and_whose_it_is(kind: Any, verb: str) -> None:
    route = kind("/add", Root().child.add, timeout=3, tags=["x"])

    assert (route.verb, route.route, route.timeout, route.kwargs) == (verb, "/add", 3, {"tags": ["x"]})
    assert (route.method_name, route.component_name, route.attached_to_flow) == ("add", "root.child", True)
    assert Get(route="/a", method=function, method_name="b").method_name == "b"


def test_a_plain_function_belongs_to_no_flow() -> None:
    route = Get("/x", function)

    assert (route.attached_to_flow, route.component_name) == (False, "function")


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ("/command/x", "The route `/command/x` is reserved for commands. Please, use something else."),
        ("x", "begin with"),
        (5, "begin"),
    ],
)
def test_a_route_that_cannot_be_served_is_refused(route: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        Get(route, function)


def test_something_has_to_be_called() -> None:
    with pytest.raises(ValueError, match="nothing to call"):
        Post("/x", 5)  # type: ignore[arg-type]


class Add(ClientCommand):
    def run(self) -> Any:
        return self.invoke_handler({"name": "x"})


def test_a_command_describes_itself_by_its_methods_docstring() -> None:
    command = Add(Root().child.add)

    assert (command.description, command.requirements, command.owner) == ("Add a name.", [], "root.child")
    assert command("x") == "x"


def test_a_command_that_is_not_connected_says_so() -> None:
    command = Add(method=Root().child.add)

    with pytest.raises(RuntimeError, match=r"Add\.invoke_handler"):
        command.run()
    with pytest.raises(RuntimeError, match=r"Add\.state"):
        _ = command.state


def test_an_app_introduces_itself_in_words() -> None:
    info = AppInfo(title="T", description="D", meta_tags=["<meta>"])

    assert info == AppInfo("T", None, "D", None, ["<meta>"])
    assert (info.favicon, info.image, info.on_connect_end) == (None, None, None)
