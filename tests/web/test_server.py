"""Real apps, really served: from the first connection on, on a thread of their own, until they end."""

from __future__ import annotations

import json
import os
import signal
import socket
from typing import Any

import httpx
import pytest

COUNTER = """
import lightning as L

class Count(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.n = 0

    def run(self):
        self.n = 1

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.count = Count()
        self.seen = None

    def run(self):
        self.count.run()
        self.seen = self.count.n

app = L.LightningApp(Root())
"""

STUBBORN = COUNTER.replace(
    "        self.n = 1\n",
    """
        import time
        self.n = 1
        while True:
            try:
                time.sleep(1)
            except BaseException:
                pass
""",
)


def test_the_state_of_flow_and_works_is_served(serve: Any) -> None:
    app = serve(COUNTER)

    state = app.until(lambda state: state["vars"]["seen"] == 1)

    assert state["works"]["count"]["vars"]["n"] == 1
    assert state["app_state"] == {"stage": "running"}
    assert app.get("/healthz") == {"status": "ok"}
    app.process.interrupt()
    assert app.process.wait() == 130
    app.process.assert_nothing_left()


def test_answers_name_the_version_of_the_state(serve: Any) -> None:
    app = serve(COUNTER)
    app.until(lambda state: state["vars"]["seen"] == 1)

    first, second = app.http.get("/api/v1/state"), app.http.get("/api/v1/state")

    assert first.headers["etag"] == second.headers["etag"]
    assert first.content == second.content


def test_pages_of_others_and_other_names_are_turned_away(serve: Any) -> None:
    app = serve(COUNTER)

    assert app.http.get("/api/v1/state", headers={"Origin": "http://evil.example"}).status_code == 403
    assert app.http.get("/api/v1/state", headers={"Host": "evil.example"}).status_code == 421
    assert app.http.get("/api/v1/state", headers={"Origin": app.address}).status_code == 200
    assert app.http.get("/nothing/here").status_code == 404


def test_a_port_that_is_taken_is_named(command_line: Any) -> None:
    path = command_line.app(COUNTER)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = command_line.run("run", "app", path, "--port", str(taken.getsockname()[1]))

    assert run.process.returncode == 1
    assert "in use" in run.stderr


def test_without_server_nothing_listens(command_line: Any) -> None:
    path = command_line.app(COUNTER.replace("self.seen = self.count.n", "self.count.n and self.stop()"))

    run = command_line.run("run", "app", path, "--without-server")

    assert run.process.returncode == 0
    assert "browser" not in run.stderr


@pytest.mark.slow
def test_a_host_that_is_started_again_has_the_same_port(serve: Any, eventually: Any) -> None:
    app = serve(COUNTER)
    app.until(lambda state: state["vars"]["seen"] == 1)
    version = app.http.get("/api/v1/state").headers["etag"]

    app.process.signal(2)
    app.process.wait()
    again = serve("", "--resume", "last", path=app.process._out.parent / "app.py")

    assert again.address == app.address
    assert again.http.get("/api/v1/state").headers["etag"] > version


@pytest.mark.slow
def test_a_host_that_was_killed_is_replaced_under_the_same_url(serve: Any, eventually: Any) -> None:
    app = serve(COUNTER)
    app.until(lambda state: state["vars"]["seen"] == 1)
    version = app.http.get("/api/v1/state").headers["etag"]
    (entry,) = app.process._out.parent.rglob("host.json")

    os.kill(json.loads(entry.read_text())["pid"], signal.SIGKILL)

    def served_again() -> bool:
        try:
            answer = app.http.get("/api/v1/state")
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.headers["etag"] > version and answer.json()["vars"]["seen"] == 1

    eventually(served_again, 20, what=app.process.report)
    assert app.get("/healthz") == {"status": "ok"}


def test_an_app_that_ends_says_so_to_who_looks(serve: Any, eventually: Any) -> None:
    app = serve(STUBBORN, env={"LIGHTNING_GRACE": "3"})
    app.until(lambda state: state["works"]["count"]["vars"]["n"] == 1)

    app.process.interrupt()

    app.until(lambda state: state["app_state"]["stage"] == "stopping")
    answer = app.http.patch("/api/v1/state", json=[{"op": "replace", "path": "/vars/seen", "value": 5}], timeout=40)
    assert answer.status_code == 503
