"""What people see: tabs that come and go with the state, real frontends in them, the state live, and strangers' pages kept out."""

from __future__ import annotations

import http.server
import re
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lightning_apps.web.behind import Behind
from web.inside import front_door

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

Eventually = Callable[..., Any]

STREAMLIT = """
import lightning as L
from lightning.app.frontend import StreamlitFrontend


def draw(state):
    import streamlit as st

    st.title(f"Count {state.count}")
    if st.button("more"):
        state.count = state.count + 1
    if st.button("tab"):
        state.more_tabs = not state.more_tabs


class Page(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.count, self.doubled, self.more_tabs = 0, 0, False

    def run(self):
        self.doubled = 2 * self.count

    def configure_layout(self):
        return StreamlitFrontend(render_fn=draw)


class Other(L.LightningFlow):
    def configure_layout(self):
        return [{"name": "docs", "content": "https://docs.invalid"}, {"name": "soon", "content": "/later"}]


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.page, self.other = Page(), Other()

    def run(self):
        self.page.run()
        if self.page.doubled:
            print("doubled", self.page.doubled, flush=True)

    def configure_layout(self):
        tabs = [{"name": "Home", "content": self.page}]
        return tabs + [{"name": "Other", "content": self.other}] if self.page.more_tabs else tabs


app = L.LightningApp(Root(), info=L.app.utilities.frontend.AppInfo(title="Tabs & <b>tales</b>", description="An app"))
"""

FRAMEWORKS = """
import lightning as L
from lightning.app.frontend import DashFrontend, GradioFrontend, PanelFrontend


def greet(state):
    import gradio

    def say(text):
        state.said = text
        return f"Hello {text}"

    return gradio.Interface(say, "text", "text")


def board():
    import dash

    app = dash.Dash(__name__)
    app.layout = dash.html.Div([dash.dcc.Input(id="in", value="one"), dash.html.Div(id="out")])
    app.callback(dash.Output("out", "children"), dash.Input("in", "value"))(lambda text: f"Dash says {text}")
    return app


def sheet():
    import panel

    from lightning.app.frontend import AppStateWatcher

    assert AppStateWatcher() is AppStateWatcher()
    heard = panel.bind(lambda state: f"heard {state.heard}", AppStateWatcher().param.state)
    button = panel.widgets.Button(name="press")
    return panel.Column("# A Panel", heard, button, panel.bind(lambda clicks: f"pressed {clicks}", button.param.clicks))


class Gradio(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.said = ""

    def configure_layout(self):
        return GradioFrontend(greet)


class Dash(L.LightningFlow):
    def configure_layout(self):
        return DashFrontend(board)


class Panel(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.heard = 0

    def configure_layout(self):
        return PanelFrontend(sheet)


class Serve(L.LightningWork):
    def run(self):
        import http.server

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"served by a work")

            def log_message(self, *args): pass

        http.server.ThreadingHTTPServer((self.host, self.port), Handler).serve_forever()


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.gradio, self.dash, self.panel, self.serve = Gradio(), Dash(), Panel(), Serve(parallel=True)

    def run(self):
        self.serve.run()
        if self.gradio.said:
            print("said", self.gradio.said, flush=True)

    def configure_layout(self):
        return [{"name": name.title(), "content": getattr(self, name)} for name in ("gradio", "dash", "panel", "serve")]


app = L.LightningApp(Root())
"""

COUNTER = """
import lightning as L


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.count = 0

    def run(self):
        if self.schedule("*/1 * * * * *"):
            self.count += 1

    def configure_api(self):
        from lightning.app.api import Post

        return [Post("/add", self.add)]

    def add(self, amount: int = 100):
        self.count += amount

    def configure_layout(self):
        return []


app = L.LightningApp(Root())
"""


def tab(page: Any, name: str) -> Any:
    return page.get_by_role("tab", name=name, exact=True)


def patch(page: Any, path: str, value: Any) -> None:
    """Change the state, as any program may."""
    page.evaluate(
        """([path, value]) => fetch("api/v1/state", {method: "PATCH", headers: {"content-type": "application/json-patch+json"},
               body: JSON.stringify([{op: "replace", path, value}])})""",
        [path, value],
    )


def frame(page: Any) -> Any:
    return page.frame_locator("#frames > div:not([hidden]) iframe")


def test_a_click_in_streamlit_changes_the_flow_and_tabs_come_and_go_with_the_state(page: Any, run: Any) -> None:
    app = run(STREAMLIT)
    page.goto(app.url)

    assert page.title() == "Tabs & <b>tales</b>"
    frame(page).get_by_text("Count 0").wait_for()
    frame(page).get_by_role("button", name="more").click()
    frame(page).get_by_text("Count 1").wait_for()
    app.process.wait_for("doubled 2")
    for count in range(2, 7):
        frame(page).get_by_role("button", name="more").click()
        frame(page).get_by_text(f"Count {count}", exact=True).wait_for()
    assert "doubled 14" not in app.process.stdout  # each click counted once

    assert tab(page, "Other").count() == 0
    frame(page).get_by_role("button", name="tab").click()
    tab(page, "Other").click()
    tab(page, "soon").click()
    page.get_by_text("It is not there yet: /later").wait_for()
    tab(page, "Home").click()
    frame(page).get_by_role("button", name="tab").click()
    tab(page, "Other").wait_for(state="detached")


def test_a_change_of_the_state_draws_streamlit_again(page: Any, run: Any) -> None:
    app = run(STREAMLIT)
    page.goto(app.url)
    frame(page).get_by_text("Count 0").wait_for()

    patch(page, "/flows/page/vars/count", 7)

    frame(page).get_by_text("Count 7").wait_for()


def test_gradio_dash_panel_and_a_works_own_server_work_in_their_tabs(page: Any, run: Any) -> None:
    app = run(FRAMEWORKS)
    page.goto(app.url)

    inside = frame(page)
    inside.get_by_label("text").first.fill("you")
    inside.get_by_role("button", name="Submit").click()
    app.process.wait_for("said you")
    inside.get_by_label("output").wait_for()
    tab(page, "Dash").click()
    frame(page).get_by_text("Dash says one").wait_for()
    frame(page).locator("#in").fill("two")
    frame(page).get_by_text("Dash says two").wait_for()
    tab(page, "Panel").click()
    frame(page).get_by_role("button", name="press").click()
    frame(page).get_by_text("pressed 1").wait_for()
    frame(page).get_by_text("heard 0").wait_for()
    patch(page, "/flows/panel/vars/heard", 5)
    frame(page).get_by_text("heard 5").wait_for()
    tab(page, "Serve").click()
    frame(page).get_by_text("served by a work").wait_for()


def test_an_app_without_tabs_shows_its_components_and_their_state_live(page: Any, run: Any) -> None:
    app = run(COUNTER)
    page.goto(app.url)

    count = page.locator("#detail tr", has_text="count").locator("pre")
    count.wait_for()
    first = int(count.inner_text())
    page.wait_for_function("before => Number(document.querySelector('#detail td pre').innerText) > before", arg=first)
    assert page.locator("#stage").inner_text() == "running"
    tab(page, "Components").focus()
    page.keyboard.press("ArrowRight")  # a row of tabs is gone through with arrows
    page.keyboard.press("Enter")
    page.locator("#lines").wait_for()
    app.process.signal(signal.SIGTERM)
    page.get_by_role("alert").get_by_text("The app has ended.").wait_for()


FAILS = """
import lightning as L
from lightning.app.frontend import AsgiFrontend


async def show(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


class Page(L.LightningFlow):
    def configure_layout(self):
        return AsgiFrontend(show)


class Work(L.LightningWork):
    def run(self):
        raise ValueError("too small")


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.page, self.work = Page(), Work(parallel=True, raise_exception=False)

    def run(self):
        self.work.run()

    def configure_layout(self):
        return [{"name": f"Tab number {number}", "content": self.page} for number in range(30)]


app = L.LightningApp(Root())
"""


def test_thirty_tabs_are_listed_a_failure_shows_its_traceback_and_without_a_token_there_is_a_sentence(
    page: Any, run: Any
) -> None:
    app = run(FAILS, "--host", "0.0.0.0")
    page.goto(app.url)
    page.get_by_text("This app is entered with a token").wait_for()
    page.goto(f"{app.url}?token={re.findall(r'token=(.+)', app.process.stderr)[0]}")

    page.locator("#more").select_option("Tab number 29")
    page.wait_for_function("() => document.querySelector('#tabs [aria-selected=true]')?.innerText === 'Tab number 29'")
    assert tab(page, "Tab number 29").bounding_box()["x"] < 1100
    tab(page, "Components").click()
    page.locator(".row", has_text="work").click()
    page.locator(".trace", has_text="ValueError: too small").wait_for()
    page.context.clear_cookies()

    page.reload()
    page.get_by_text("This app is entered with a token").wait_for()


@pytest.fixture
def stranger() -> Any:
    """A page of another origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>a stranger</title>")

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_page_of_another_origin_can_neither_post_nor_read_nor_listen(page: Any, run: Any, stranger: str) -> None:
    app = run(COUNTER)
    page.goto(stranger)
    base = f"http://127.0.0.1:{app.port}"

    tried = page.evaluate(
        """async (base) => {
            const all = {};
            const attempt = async (name, path, options) => {
                try { const answer = await fetch(base + path, options); all[name] = `${answer.type} ${answer.status}`; }
                catch { all[name] = "refused"; }
            };
            await attempt("read", "/api/v1/state", {});
            await attempt("post", "/add?amount=1000000", {method: "POST"});
            await attempt("blind post", "/add?amount=1000000", {method: "POST", mode: "no-cors"});
            await attempt("blind form", "/add?amount=1000000", {method: "POST", mode: "no-cors", body: new URLSearchParams({a: 1})});
            all.listen = await new Promise((done) => {
                const socket = new WebSocket(base.replace("http", "ws") + "/api/v1/stream");
                socket.onmessage = () => done("heard");
                socket.onclose = () => done("refused");
            });
            return all;
        }""",
        base,
    )

    assert (tried["read"], tried["post"], tried["listen"]) == ("refused", "refused", "refused")
    page.goto(app.url)
    count = page.locator("#detail tr", has_text="count").locator("pre")
    count.wait_for()
    assert int(count.inner_text()) < 1_000_000
    assert page.evaluate("async () => (await fetch('add?amount=1000000', {method: 'POST'})).status") == 200
    page.wait_for_function("() => Number(document.querySelector('#detail td pre').innerText) > 1000000")


def test_the_page_needs_nothing_from_elsewhere_and_breaks_no_rule_of_its_own(page: Any, run: Any) -> None:
    app = run(COUNTER)
    asked, complaints = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

    page.goto(f"http://127.0.0.1:{app.port}/")
    page.locator("#detail tr", has_text="count").wait_for()

    assert all(url.startswith(f"http://127.0.0.1:{app.port}/") for url in asked)
    assert page.url.endswith("/view")
    assert not complaints


def test_everything_works_under_a_path_of_another_server(page: Any, run: Any, command_line: Any) -> None:
    token = command_line.folder / "token"
    token.write_text("a-token-that-is-long-enough-to-be-one")
    app = run(STREAMLIT, "--root-path", "/w/in", "--token-file", str(token))
    with front_door({"w/in": Behind(address=f"127.0.0.1:{app.port}", inside="")}) as (address, _):
        page.goto(f"http://{address}/w/in/view?token={token.read_text()}")

        frame(page).get_by_role("button", name="more").click()
        frame(page).get_by_text("Count 1").wait_for()
        page.get_by_role("tab", name="Components").click()
        page.locator(".row", has_text="page").click()
        page.locator("#detail tr", has_text="doubled").locator("pre", has_text="2").wait_for()
        page.get_by_role("tab", name="Logs").click()
        page.locator("#whose option[value='root.page']").wait_for(state="attached")
