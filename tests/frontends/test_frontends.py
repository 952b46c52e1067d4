"""The shipped frontends: what they accept, what they refuse, and how they serve without an app."""

from __future__ import annotations

import pickle
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.base.errors import MissingExtra
from lightning_apps.frontends import as_asgi
from lightning_apps.frontends.asgi import AsgiFrontend
from lightning_apps.frontends.dash import DashFrontend
from lightning_apps.frontends.gradio import GradioFrontend
from lightning_apps.frontends.justpy import JustPyFrontend
from lightning_apps.frontends.panel import PanelFrontend
from lightning_apps.frontends.static import StaticWebFrontend
from lightning_apps.frontends.streamlit import StreamlitFrontend
from lightning_apps.frontends.wsgi import WsgiFrontend
from lightning_apps.model.binding import free_port
from lightning_apps.model.layout import Frontend


def page(state: object) -> None: ...


class Holder:
    def page(self) -> None: ...


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


class Shown:
    """Looks like a Gradio interface and like a Dash application."""

    layout = None

    def launch(self) -> None: ...


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


def test_what_was_not_started_cannot_be_stopped() -> None:
    with pytest.raises(RuntimeError, match=r"Server is not running. Call `StaticWebFrontend.start_server\(\)` first."):
        StaticWebFrontend("x").stop_server()


def test_a_package_that_is_not_installed_is_named_when_it_is_needed() -> None:
    class Needy(StaticWebFrontend):
        needs = ("surely_not_installed",)

    with pytest.raises(MissingExtra, match="pip install surely_not_installed"):
        Needy("x").start_server("127.0.0.1", 1)


def test_a_frontend_serves_on_its_own_as_it_does_in_an_app(tmp_path: Path, eventually: Any) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("here")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "site" / "link").symlink_to(tmp_path / "secret")
    frontend, port = StaticWebFrontend(tmp_path / "site"), free_port()
    frontend.flow = Named("root.site")

    def read(path: str) -> bytes | int | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    frontend.start_server("127.0.0.1", port, "/app")
    try:
        assert eventually(lambda: read("/app/root.site/")) == b"here"
        assert read("/app/root.site/healthz") == b'{"status":"ok"}'
        assert [read(f"/app/root.site/{path}") for path in ("link", "../secret", "%2e%2e/secret")] == [404, 404, 404]
        assert read("/") == 404
    finally:
        frontend.stop_server()
    assert read("/app/root.site/") is None


@pytest.mark.parametrize("kind", [AsgiFrontend, WsgiFrontend])
def test_an_application_may_be_named_and_has_to_be_one(kind: Any) -> None:
    assert kind("package.module:app").app == "package.module:app"
    assert kind(page).app is page

    with pytest.raises(TypeError, match=f"The `{kind.__name__}` needs an application"):
        kind("module")


@pytest.mark.parametrize("kind", [GradioFrontend, DashFrontend])
def test_what_makes_a_page_may_be_given_instead_of_it(kind: Any) -> None:
    kind(page)
    kind(Shown())

    with pytest.raises(TypeError, match="pure function"):
        kind(Holder().page)


def environment(path: str, *headers: tuple[bytes, bytes], base: str = "/f/root.page") -> dict[str, Any]:
    scope = {
        "method": "GET", "raw_path": path.encode(), "query_string": b"a=1", "scheme": "https", "http_version": "1.1",
        "headers": [(b"host", b"app.example:8443"), *headers], "client": None,
    }  # fmt: skip
    return as_asgi.environment(scope, base, None, 3)


def test_a_wsgi_application_is_told_where_it_is() -> None:
    told = environment(
        "/f/root.page/a%20b%C3%A9", (b"content-type", b"text/x"), (b"x-a", b"1"), (b"x-a", b"2"), (b"x_a", b"3")
    )

    assert (told["SCRIPT_NAME"], told["PATH_INFO"].encode("latin-1").decode()) == ("/f/root.page", "/a bé")
    assert (told["SERVER_NAME"], told["SERVER_PORT"], told["wsgi.url_scheme"]) == ("app.example", "8443", "https")
    assert (told["CONTENT_TYPE"], told["CONTENT_LENGTH"], told["HTTP_X_A"]) == ("text/x", "3", "1,2")


def test_a_frontend_survives_pickling() -> None:
    frontend = StreamlitFrontend(page)

    again = pickle.loads(pickle.dumps(frontend))

    assert again.same_as(frontend)
    assert again.render_fn is page
