"""AppState against apps that run: reads cost no request, assignments arrive, and it goes on where the host was killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.client.address import parse
from lightning_apps.client.feed import Feed
from lightning_apps.client.state import AppState
from web.conftest import serve  # noqa: F401  (a fixture)

APP = """
import lightning as L
from lightning.app.utilities.state import AppState

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.told, self.count = None, 0

    def run(self):
        own, whole = AppState(), AppState(my_affiliation=())
        self.told = [own.count, whole.n, whole.child.x]
        own.count = 7
        whole.child.x = 8

class Child(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.x = 1

class Root(L.LightningFlow):
    def __init__(self, starts=False):
        super().__init__()
        self.child = Child()
        self.ws = L.structures.Dict(a=Work())
        self.n, self.twice, self.names, self.pair = 1, 2, ["a"], (1, 2)
        self.starts = starts

    def run(self):
        self.twice = 2 * self.n
        if self.starts:
            self.ws["a"].run()

app = L.LightningApp(Root({starts}))
"""


def test_reads_follow_the_app_and_cost_no_request(serve: Any, eventually: Any) -> None:  # noqa: F811
    app = serve(APP.replace("{starts}", ""))
    state = AppState(app.address)
    state.n
    state._lit_session.source.feed.http.close()
    state._lit_session.source.feed.http.ask = None

    app.http.patch("/api/v1/state", json=[{"op": "replace", "path": "/vars/n", "value": 5}])

    eventually(lambda: state.twice == 10)
    assert (state.names, state.ws["a"].count, len(state), state.child.x) == (["a"], 0, 2, 1)


def test_what_is_assigned_is_there_at_the_next_read(serve: Any) -> None:  # noqa: F811
    app = serve(APP.replace("{starts}", ""))
    state = AppState(app.address)

    for n in range(2, 30):
        state.n = n
        assert state.n == n
    state.names.append("b")
    state.pair = (3, 4)
    state.n = state.n

    assert app.state()["vars"]["names"] == ["a", "b"]
    assert (state.names, state.pair) == (["a", "b"], [3, 4])
    with pytest.raises(Exception, match="Your inputs were rejected"):
        state.pair = "no tuple"


def test_views_of_the_same_app_share_one_stream(serve: Any) -> None:  # noqa: F811
    app = serve(APP.replace("{starts}", ""))
    states = [AppState(app.address) for _ in range(5)]

    states[0].n = 9

    assert [state.n for state in states] == [9] * 5
    assert len({id(state._lit_session.source.feed) for state in states}) == 1


def test_where_there_is_no_stream_it_asks(serve: Any, eventually: Any) -> None:  # noqa: F811
    app = serve(APP.replace("{starts}", ""))
    state = AppState(app.address)
    state._lit_session.source.feed._polls = True
    heard: list[int] = []
    end = state.watch(lambda: heard.append(1))

    state.n = 4

    assert state.n == 4
    eventually(lambda: state.twice == 8)
    end()
    assert heard


def test_a_listener_is_told_of_changes(serve: Any, eventually: Any) -> None:  # noqa: F811
    app = serve(APP.replace("{starts}", ""))
    state = AppState(app.address)
    seen: list[int] = []

    end = state.watch(lambda: seen.append(state.n))
    state.n = 6
    eventually(lambda: 6 in seen)
    end()
    state.n = 7

    assert 7 not in seen


@pytest.mark.parametrize("way", [{}, {"LIGHTNING_START_METHOD": "spawn"}])
def test_a_work_reads_and_writes_through_it(serve: Any, way: dict[str, str]) -> None:  # noqa: F811
    app = serve(APP.replace("{starts}", "True"), env=way)

    state = app.until(lambda state: state["flows"]["child"]["vars"]["x"] == 8)

    work = state["structures"]["ws"]["works"]["a"]["vars"]
    assert (work["told"], work["count"]) == ([0, 1, 1], 7)


def test_it_goes_on_when_the_host_was_killed(serve: Any, eventually: Any) -> None:  # noqa: F811
    app = serve(APP.replace("{starts}", ""))
    state = AppState(app.address)
    state.n = 3
    folder = next(Path(app.process._out.parent).glob("home/*/host.json"), None) or next(
        Path(app.process._out.parent).rglob("host.json")
    )
    pid = __import__("json").loads(folder.read_text())["pid"]

    os.kill(pid, signal.SIGKILL)
    app.process.wait_for("started", stream="stderr")

    eventually(lambda: state.n == 3, 20)
    state.n = 11
    assert state.n == 11


def test_a_script_needs_nothing_but_the_url(serve: Any, command_line: Any) -> None:  # noqa: F811
    app = serve(APP.replace("{starts}", ""))
    script = "from lightning.app.utilities.state import AppState; s = AppState(); s.n = 21; print(s.twice, s)"

    ran = command_line.execute([sys.executable, "-c", script], env={"LIGHTNING_APP_STATE_URL": app.address})

    assert ran.wait() == 0, ran.report()
    assert app.until(lambda state: state["vars"]["twice"] == 42)


def test_an_unused_stream_is_given_up_and_taken_up_again(serve: Any, eventually: Any) -> None:  # noqa: F811
    feed = Feed(parse(serve(APP.replace("{starts}", "")).address), idle=0.1)
    assert feed.state()["vars"]["n"] == 1

    eventually(lambda: feed._thread is not None and not feed._thread.is_alive())

    assert feed.state()["vars"]["n"] == 1


INLINE = """
import threading
import lightning as L
from lightning.app.utilities.state import AppState

class Work(L.LightningWork):
    def run(self):
        AppState().told = "by a work"

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.told, self.work = "", Work(parallel=True)

    def run(self):
        try:
            AppState().told = "by the flow"
        except RuntimeError as error:
            print(error)
        if self.told:
            print(self.told)
            self.stop()
        self.work.run()

app = L.LightningApp(Root())
"""


def test_works_that_are_threads_reach_the_app_and_a_flow_is_told_not_to_wait_for_itself(command_line: Any) -> None:
    app = command_line.app(INLINE)

    ran = command_line.run("run", "app", app, "--open-ui", "false", "--port", "0", env={"LIGHTNING_ENGINE": "inline"})

    assert ran.process.returncode == 0, ran.report()
    assert ran.stdout.splitlines()[-1] == "by a work"
    assert "AppState cannot set /vars/told from the app's own flow" in ran.stdout
