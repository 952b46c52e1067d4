"""Running an app from Python under the older names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
import pytest
from lightning.app.runners import MultiProcessRuntime, dispatch, run_app_commands

from lightning_apps.base.errors import AppLoadError


class Root(L.LightningFlow):
    def run(self) -> None:
        self.stop()


class NotedApp(L.LightningApp):
    """An app that notes how it was to be run and ends with `code`."""

    options: ClassVar[list[dict[str, Any]]] = []
    code: ClassVar[int] = 0

    @staticmethod
    def runner(app: L.LightningApp, **options: Any) -> int:
        NotedApp.options.append(options)
        return NotedApp.code


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    NotedApp.options.clear()
    NotedApp.code = 0


def test_a_runtime_hands_its_options_to_the_run_of_the_app() -> None:
    runtime = MultiProcessRuntime(NotedApp(Root()), start_server=False, host="http://127.0.0.1", env_vars={"A": "1"})

    runtime.dispatch(open_ui=False, engine="inline")

    options = NotedApp.options[0]
    assert options["with_server"] is False and options["open_ui"] is False
    assert options["host"] == "127.0.0.1"
    assert options["env"] == (("A", "1"),)
    assert options["engine"] == "inline"


def test_an_app_that_failed_ends_the_script_with_its_code() -> None:
    NotedApp.code = 1

    with pytest.raises(SystemExit) as ended:
        MultiProcessRuntime(NotedApp(Root())).dispatch()

    assert ended.value.code == 1


def test_dispatch_loads_the_file_runs_its_app_and_leaves_main_as_it_was(tmp_path: Path) -> None:
    before = sys.modules["__main__"]
    (tmp_path / "app.py").write_text("""
import lightning as L
class Root(L.LightningFlow):
    def run(self): ...
class App(L.LightningApp):
    runner = staticmethod(lambda app, **options: 7 if options["name"] == "seven" else 0)
app = App(Root())
""")

    with pytest.raises(SystemExit) as ended:
        dispatch(tmp_path / "app.py", name="seven")

    assert ended.value.code == 7
    assert sys.modules["__main__"] is before


def test_another_runtime_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'cloud'"):
        dispatch(tmp_path / "app.py", "cloud")


def test_a_file_without_an_app_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1")

    with pytest.raises(AppLoadError):
        dispatch(tmp_path / "app.py")


def test_comment_commands_run_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"# !touch {tmp_path}/touched\n")

    run_app_commands(tmp_path / "app.py")

    assert (tmp_path / "touched").exists()
