"""Small names of the older framework's test kit, under their import paths."""

from __future__ import annotations

import sys
from pathlib import Path
from queue import Empty
from typing import Any

import lightning as L
import pytest
from lightning.app.testing import EmptyFlow, EmptyWork, delete_cloud_lightning_apps
from lightning.app.testing.config import Config, _Config
from lightning.app.testing.helpers import _call_script, _MockQueue, _run_script, _RunIf
from lightning.app.testing.testing import run_app_in_cloud, wait_for

from lightning_apps.base.errors import LightningError


def test_the_kit_is_one_under_all_its_paths() -> None:
    import lightning.testing.testing
    import lightning_app.testing.testing

    assert L.testing is L.app.testing is lightning_app.testing
    assert lightning_app.testing.testing.LightningTestApp is lightning.testing.LightningTestApp


def test_empty_components_do_nothing() -> None:
    assert EmptyFlow().run() is None
    assert EmptyWork().run() is None


@pytest.mark.parametrize("call", [lambda: run_app_in_cloud("folder"), delete_cloud_lightning_apps])
def test_what_needs_the_cloud_says_that_it_is_gone(call: Any) -> None:
    with pytest.raises(LightningError, match=r"cloud, which is gone: run the app here"):
        call()


def test_the_settings_of_browser_tests_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTNING_USERNAME", "ada")
    monkeypatch.delenv("LIGHTNING_CLOUD_URL", raising=False)
    monkeypatch.delenv("LIGHTNING_API_KEY", raising=False)

    assert Config is _Config
    assert (Config.username, _Config().username, Config.url, Config.api_key) == (
        "ada",
        "ada",
        "https://lightning.ai",
        None,
    )
    assert not hasattr(Config, "nonsense")


class Page:
    reloads = 0

    def reload(self) -> None:
        self.reloads += 1


PageError = type("PageError", (Exception,), {"__module__": "playwright._impl._errors"})


def test_waiting_for_a_page_reloads_it_after_errors_and_returns_what_was_found() -> None:
    page, answers = Page(), iter([PageError("not there yet"), None, "found"])

    def look(what: str) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return f"{what} {answer}" if answer else None

    assert wait_for(page, look, "tab") == "tab found"
    assert page.reloads == 1


def test_other_errors_while_waiting_for_a_page_are_the_tests_own() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_for(Page(), lambda: 1 / 0)


@pytest.mark.parametrize(
    ("condition", "skips", "says"),
    [
        ({}, False, ""),
        ({"min_python": "3.10"}, False, ""),
        ({"min_python": "4.0"}, True, "python>=4.0"),
        ({f"skip_{'linux' if sys.platform == 'linux' else 'mac_os'}": True}, True, "unimplemented on"),
        ({"skip_windows": True}, False, ""),
        ({"cloud": True, "min_python": "4.0"}, True, "python>=4.0 + Cloud"),
        ({"local_end_to_end": True}, False, ""),
    ],
)
def test_a_test_is_skipped_unless_its_conditions_hold(condition: Any, skips: bool, says: str) -> None:
    mark = _RunIf(**condition).mark

    assert mark.name == "skipif"
    assert mark.kwargs["condition"] is skips
    assert says in mark.kwargs["reason"]


def test_a_script_is_run_as_a_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; print(sys.argv[1:]); sys.exit(len(sys.argv) - 1)")

    assert _call_script(str(script), [1, "b"]) == (2, "['1', 'b']\n", "")
    _run_script(str(script))
    assert "STDOUT: []" in capsys.readouterr().out


def test_a_script_that_fails_fails_the_test(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit(3)")

    with pytest.raises(AssertionError, match="3"):
        _run_script(str(script))


def test_a_script_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import signal; signal.pause()")

    assert _call_script(str(script), timeout=0.2)[0] == -9


def test_the_queue_that_never_waits() -> None:
    queue = _MockQueue("name")
    queue.put(1)
    queue.put(2)

    assert len(queue) == 2 and 2 in queue and repr(queue) == "_MockQueue([1, 2])"
    assert (queue.get(), queue.get(timeout=9)) == (1, 2)
    with pytest.raises(Empty):
        queue.get()
