"""Routes and commands of a running app: a turn answers, and one that fails leaves nothing."""

from __future__ import annotations

from typing import Any

APP = """
import asyncio
import lightning as L
from lightning.app.api import Get, Post

class Child(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.n = 0

    def count(self):
        self.n += 1
        return self.n

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.child = Child()
        self.names, self.seen = [], 0

    def run(self):
        self.seen = len(self.names)

    def add(self, name: str):
        self.names.append(name)
        return self.names

    async def think(self, seconds: float):
        await asyncio.sleep(seconds)
        return self.add("thought")

    def fail(self):
        self.add("never")
        raise ValueError("the reason")

    def configure_api(self):
        return [Post("/add", self.add), Get("/think", self.think, timeout=0.2), Post("/fail", self.fail), Post("/count", self.child.count)]

    def configure_commands(self):
        return [{"add name": self.add}]

app = L.LightningApp(Root())
"""


def test_routes_and_commands_are_turns_of_the_flow(serve: Any) -> None:
    app = serve(APP)

    assert app.http.post("/add", params={"name": "a"}).json() == ["a"]
    assert app.http.post("/command/add_name", params={"name": "b"}).json() == ["a", "b"]
    assert app.http.post("/count").json() == 1
    assert app.http.get("/think", params={"seconds": 0.01}).json() == ["a", "b", "thought"]
    state = app.until(lambda state: state["vars"]["seen"] == 3)
    assert state["flows"]["child"]["vars"]["n"] == 1


def test_a_handler_that_raises_leaves_nothing_and_is_named_at_the_terminal(serve: Any) -> None:
    app = serve(APP)

    answer = app.http.post("/fail")

    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})
    assert app.state()["vars"]["names"] == []
    app.process.wait_for("ValueError: the reason", stream="stderr")
    assert "fastapi" not in app.process.stderr


def test_who_does_not_wait_long_enough_is_told(serve: Any) -> None:
    app = serve(APP)

    assert app.http.get("/think", params={"seconds": 0.5}).json() == {"detail": "The response was never received."}


def test_what_cannot_be_served_ends_the_app_with_a_sentence(command_line: Any) -> None:
    body = APP.replace('Post("/add", self.add)', "self.add")

    process = command_line.run("run", "app", command_line.app(body), "--open-ui", "false", "--port", "0")

    assert process.process.returncode == 1
    assert "the provided api should be either [Delete, Get, Post, Put]" in process.stderr
    assert "Traceback" not in process.stderr


def test_without_fastapi_an_app_with_routes_is_told_what_to_install(command_line: Any) -> None:
    app = command_line.app("import sys\nsys.modules['fastapi'] = None\n" + APP)

    process = command_line.run("run", "app", app, "--open-ui", "false", "--port", "0")

    assert process.process.returncode == 1
    assert process.stderr.count("pip install 'lightning-apps[api]'") == 1
    assert "Traceback" not in process.stderr
