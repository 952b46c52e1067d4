"""The plugin, as the tests of an app see it: a suite of an app's own tests is run by a pytest of its own, once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.testing.clock import VirtualClock
from lightning_apps.testing.empty import EmptyFlow

APP = """
import os
import time
import lightning as L

class Train(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.loss = 1.0
        self.pid = 0

    def run(self, steps):
        self.pid = os.getpid()
        print("training", flush=True)
        self.loss = 1.0 / steps
        while steps < 0:
            time.sleep(0.05)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.train = Train()
        self.nights = 0

    def run(self):
        self.train.run(int(os.environ.get("STEPS", "2")))
        if self.schedule("0 2 * * *"):
            self.nights += 1
        if self.train.has_succeeded and self.nights < 2:
            self.stop()

if __name__ == "__main__":
    app = L.LightningApp(Root())
"""


SUITE = """
import os
import sys
import pytest
from datetime import datetime, timedelta


def test_nothing_of_the_framework_is_imported_before_a_test_asks_for_it():
    ours = sorted(name for name in sys.modules if name.startswith(("lightning", "msgspec", "starlette")))
    assert ours == ["lightning_apps", "lightning_apps.finder", "lightning_apps.testing", "lightning_apps.testing.pytest_plugin"]


@pytest.fixture
def Root():
    import app
    return app.Root


def test_an_app_in_memory(app_test, Root):
    app = app_test(Root)
    app.works["train"].finish(loss=0.1)
    assert app.finish() == 0


def test_an_app_file(app_test):
    app = app_test("app.py", inline=True)
    assert app.finish() == 0
    assert app.state["works"]["train"]["vars"]["loss"] == 0.5


@pytest.mark.virtual_time("2026-03-29 01:30", zone="Europe/Berlin")
def test_time_is_virtual(app_test, virtual_clock, Root):
    assert str(virtual_clock.now) == "2026-03-29 01:30:00+01:00"
    app = app_test(Root)
    app.settle()
    app.advance(hours=2)
    assert app.now == virtual_clock.now and app.now.hour == 4


def test_a_start_of_its_own(app_test, virtual_clock, Root):
    assert app_test(Root, start=0.0).now.year == 1970
    assert virtual_clock.now.year == 2026


def test_states_that_differ(app_test, Root):
    app = app_test(Root).settle()
    app.works["train"].say(loss=0.25)
    app.settle()
    expected = app.state
    expected["works"]["train"]["vars"]["loss"] = 0.1
    assert app.state == expected


def test_to_its_end(running_app):
    app = running_app("app.py", env={"STEPS": "4"})
    assert app.wait() == 0
    assert app.exit_code == 0
    assert app.state["root.train"]["loss"] == 0.25
    assert "training" in app.stdout and "training" in app.output


@pytest.mark.app_patience(60)
def test_watched_from_outside(running_app):
    app = running_app("app.py", "--env", "STEPS=-1")
    assert app.wait_for("training") == "training"
    app.wait_for(lambda: app.state["root.train"]["loss"] == -1.0)
    assert app.url.startswith("http://127.0.0.1:") and app.patience == 60
    with open("pid", "w") as file:
        file.write(str(app.state["root.train"]["pid"]))


def test_asked_to_stop(running_app):
    app = running_app("app.py", env={"STEPS": "-1"})
    app.wait_for("training")
    assert app.stop() == 143


def test_that_waits_in_vain(running_app):
    app = running_app("app.py")
    app.wait_for("never printed")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the suite was run."""
    path = tmp_path_factory.mktemp("suite")
    (path / "app.py").write_text(APP)
    (path / "test_app.py").write_text(SUITE)
    plugins = [word for name in ("cacheprovider", "xdist", "hypothesispytest") for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", *plugins, "--strict-markers", "-v"]
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, timeout=240, check=False)
    (path / "said").write_text(done.stdout + done.stderr)
    return path


@pytest.fixture
def said(folder: Path) -> str:
    """What pytest printed."""
    return (folder / "said").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", re.findall(r"def (test_\w+)", SUITE))
def test_a_suite_with_the_fixtures(name: str, said: str) -> None:
    fails = name in ("test_states_that_differ", "test_that_waits_in_vain")

    assert f"test_app.py::{name} {'FAILED' if fails else 'PASSED'}" in said, said


@pytest.mark.slow
def test_a_failed_test_shows_how_states_differ_and_where_its_app_stood(said: str) -> None:
    assert "root.train.loss: 0.25, expected 0.1" in said
    assert "App under test" in said
    assert "root.train: running" in said and "'loss': 0.25" in said


@pytest.mark.slow
def test_waiting_in_vain_shows_what_is_known_of_the_app(said: str) -> None:
    assert "Waited for 'never printed'; the app ended without." in said
    assert "root.train: {" in said


@pytest.mark.slow
def test_apps_are_ended_for_sure(folder: Path) -> None:
    assert not Path(f"/proc/{(folder / 'pid').read_text()}").exists()


@pytest.mark.slow
def test_pytest_does_not_complain_of_what_was_imported_before_it(said: str) -> None:
    assert "already imported" not in said, said


def test_markers_are_known(pytestconfig: pytest.Config) -> None:
    known = " ".join(pytestconfig.getini("markers"))

    assert "virtual_time(" in known and "app_patience(" in known and "real_app" in known


def test_tests_that_start_processes_are_marked(request: pytest.FixtureRequest, running_app: Any) -> None:
    assert request.node.get_closest_marker("real_app")


def test_fixtures_are_there_in_this_suite_too(app_test: Any, virtual_clock: VirtualClock) -> None:
    app = app_test(EmptyFlow).settle()

    assert app.clock is virtual_clock
    assert app.exit_code is None
