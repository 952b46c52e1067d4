"""The shipped frontends: what they accept, and what they say while they are not served."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.base.errors import LightningError, MissingExtra
from lightning_apps.frontends import Frontend, JustPyFrontend, PanelFrontend, StaticWebFrontend, StreamlitFrontend


def page(state: object) -> None: ...


class Holder:
    def page(self) -> None: ...


class Mine(StaticWebFrontend):
    def __init__(self) -> None:
        super().__init__("mine")
        self.started: list[int] = []

    def start_server(self, host: str, port: int, root_path: str = "") -> None:
        self.started.append(port)

    def stop_server(self) -> None:
        self.started.clear()


@pytest.mark.parametrize("kind", [StreamlitFrontend, PanelFrontend, JustPyFrontend])
def test_a_function_is_accepted_and_a_method_is_not(kind: Any) -> None:
    kind(page)

    with pytest.raises(
        TypeError, match=f"The `{kind.__name__}` doesn't support `.*` being a method. Please, use a pure"
    ):
        kind(Holder().page)


def test_arguments_may_be_given_by_name() -> None:
    assert StreamlitFrontend(render_fn=page).render_fn is page
    assert JustPyFrontend(render_fn=page).render_fn is page
    assert PanelFrontend(entry_point="app.py").entry_point == "app.py"
    assert StaticWebFrontend(serve_dir=Path("x")).serve_dir == Path("x")


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="render_fn"):
        StreamlitFrontend("page")  # type: ignore[arg-type]


def test_they_belong_to_no_flow_at_first() -> None:
    assert StaticWebFrontend("x").flow is None


def test_a_frontend_without_a_server_of_its_own_cannot_be_made() -> None:
    class Half(Frontend):
        def start_server(self, host: str, port: int, root_path: str = "") -> None: ...

    with pytest.raises(TypeError, match="stop_server"):
        Half()


def test_a_users_own_server_is_used() -> None:
    mine = Mine()

    mine.start_server("127.0.0.1", 7)

    assert mine.started == [7]


def test_serving_is_refused_in_one_sentence() -> None:
    with pytest.raises(LightningError, match="StaticWebFrontend is collected but not served"):
        StaticWebFrontend("x").start_server("127.0.0.1", 1)
    with pytest.raises(RuntimeError, match=r"Server is not running. Call `StaticWebFrontend.start_server\(\)` first."):
        StaticWebFrontend("x").stop_server()


def test_a_package_that_is_not_installed_is_named_when_it_is_needed() -> None:
    class Needy(StaticWebFrontend):
        needs = "surely_not_installed"

    with pytest.raises(MissingExtra, match="pip install surely_not_installed"):
        Needy("x").start_server("127.0.0.1", 1)


def test_a_frontend_survives_pickling() -> None:
    frontend = StreamlitFrontend(page)

    again = pickle.loads(pickle.dumps(frontend))

    assert again.same_as(frontend)
    assert again.render_fn is page
