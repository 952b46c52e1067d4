"""What is done with a living run from another terminal, with real processes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.base.settings import Settings
from lightning_apps.host import outside, run_catalog

SLOW = {
    "asyncio",
    "ssl",
    "http",
    "email",
    "multiprocessing",
    "starlette",
    "uvicorn",
    "fastapi",
    "pydantic",
    "fsspec",
} | {"numpy", "ray", "keyring", "websockets"}

APP = """
import os
import lightning as L


class Fails(L.LightningWork):
    def __init__(self):
        super().__init__(raise_exception=False)
        self.tries = 0

    def run(self):
        self.tries += 1
        print("trying")
        if not os.path.exists("fine"):
            raise ValueError("not fine")


class Main(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.fails = Fails()
        self.seen = 0

    def run(self):
        self.fails.run()
        if self.fails.has_succeeded and not self.seen:
            self.seen = 1
            print("the flow saw it")


app = L.LightningApp(Main())
"""


class Terminal:
    """A folder in which commands are given."""

    def __init__(self, line: Any, folder: Path, eventually: Callable[..., Any]) -> None:
        self.line, self.folder, self.eventually = line, folder, eventually

    def say(self, *words: str, code: int = 0) -> str:
        process = self.line.start(*words)
        assert process.wait() == code, process.report()
        return str(process.stdout if code == 0 else process.stderr)

    def detach(self, *words: str) -> tuple[str, Any]:
        process = self.line.start("run", "app", self.line.app(APP), "--detach", *words)
        assert process.wait() == 0, process.report()
        return process.stdout.strip(), process

    def work(self) -> list[str]:
        return [work["status"] for work in json.loads(self.say("status", "--json"))["works"]]

    def until_work_is(self, status: str) -> None:
        self.eventually(lambda: self.work() == [status], 20, what=f"work {status}")


@pytest.fixture
def terminal(command_line: Any, tmp_path: Path, eventually: Callable[..., Any]) -> Terminal:
    return Terminal(command_line, tmp_path, eventually)


def test_a_detached_run_is_up_when_the_command_returns_and_is_stopped_without_a_trace(terminal: Terminal) -> None:
    run, process = terminal.detach()
    assert f"{run}" in terminal.say("status")
    assert "running (process" in terminal.say("status")
    assert process.living()
    terminal.eventually(lambda: json.loads(terminal.say("works", "--json"))[0]["attempt"], 20)
    (work,) = json.loads(terminal.say("works", "--json"))
    assert work["place"] == f"{work['work']}@1" and work["pid"] in process.living()

    terminal.say("stop")

    process.assert_nothing_left()
    assert "interrupted" in terminal.say("status", run)
    assert "is going on" in terminal.say("stop", code=1)


def test_a_failed_call_is_made_again_from_outside(terminal: Terminal) -> None:
    terminal.detach()
    terminal.until_work_is("failed")
    (terminal.folder / "fine").touch()
    assert "can be abandoned" in terminal.say("works", "abandon", "fails", code=1)

    terminal.say("retry", "fails")

    terminal.until_work_is("succeeded")
    assert "is succeeded: only a call that has failed" in terminal.say("retry", "fails", code=1)
    assert "again, after it had failed" in terminal.say("why", "fails")
    terminal.say("stop")


def test_logs_are_followed_until_the_run_is_over(terminal: Terminal) -> None:
    terminal.detach()
    following = terminal.line.start("logs", "--follow")
    following.wait_for("trying")
    terminal.until_work_is("failed")
    (terminal.folder / "fine").touch()
    terminal.say("retry", "fails")
    following.wait_for("the flow saw it")

    terminal.say("stop")

    assert following.wait() == 0
    assert terminal.say("logs", "fails").splitlines() == ["trying", "trying"]


def test_a_living_run_is_not_removed(terminal: Terminal) -> None:
    run, _ = terminal.detach()

    assert "is going on" in terminal.say("runs", "rm", run, code=1)
    assert terminal.say("runs", "prune") == ""
    terminal.say("stop", run)
    assert terminal.say("runs", "prune").strip() == run


def test_a_stopped_run_is_taken_up_again_in_the_background(terminal: Terminal) -> None:
    run, _ = terminal.detach()
    terminal.until_work_is("failed")
    terminal.say("stop")

    again, _ = terminal.detach("--resume", run)

    assert again == run
    assert "running" in terminal.say("status")
    terminal.say("stop")


def test_a_run_that_goes_on_is_not_taken_up_again_and_still_answers(terminal: Terminal) -> None:
    run, _ = terminal.detach()
    file = terminal.line.app(APP)

    for words in (("--detach",), ()):
        second = terminal.line.start("run", "app", file, "--resume", run, *words)
        assert second.wait() == 1
        assert f"The run {run} is still going on" in second.stderr

    assert "running (process" in terminal.say("status")
    terminal.say("stop")


def test_a_detached_app_that_cannot_be_loaded_says_so_with_its_code(terminal: Terminal) -> None:
    file = terminal.line.app("1 / 0\n", "bad.py")

    process = terminal.line.start("run", "app", file, "--detach")

    assert process.wait() == 1
    assert "ZeroDivisionError" in process.stderr
    assert process.stdout == ""


def test_an_app_that_a_script_runs_is_stopped_as_well(terminal: Terminal) -> None:
    file = terminal.line.app(APP + "\nif __name__ == '__main__':\n    app.run()\n")
    process = terminal.line.execute([sys.executable, str(file)])
    terminal.eventually(lambda: (terminal.folder / "home").exists() and "running" in terminal.say("runs"), 20)

    terminal.say("stop")

    process.wait()
    process.assert_nothing_left()


@pytest.mark.parametrize("words", [("runs",), ("status",), ("why", "fails"), ("state",), ("logs",)])
def test_commands_that_look_load_nothing_that_takes_long(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.detach()
    terminal.until_work_is("failed")

    process = terminal.line.execute([sys.executable, "-X", "importtime", "-m", "lightning_apps", *words])

    assert process.wait() == 0, process.report()
    loaded = set(re.findall(r"^import time: .*\| +(\S+)$", process.stderr, re.MULTILINE))
    assert "lightning_apps.cli.main" in loaded
    assert {name.partition(".")[0] for name in loaded} & SLOW == set()
    assert {name for name in loaded if name.startswith("lightning_apps.web.")} == set()
    assert len(loaded) < 400  # 250 to 290
    terminal.say("stop")


class TestReader:
    def test_whole_lines_are_read_and_the_rest_at_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "x.out"
        path.write_bytes(b"one\ntw")
        reader = outside.Reader(str(path))

        assert list(reader.lines()) == [b"one"]
        path.write_bytes(b"one\ntwo\nthr")
        assert list(reader.lines()) == [b"two"]
        assert list(reader.lines(last=True)) == [b"thr"]

    def test_a_beginning_that_was_given_back_to_the_disk_is_passed_over(self, tmp_path: Path) -> None:
        path = tmp_path / "x.out"
        with path.open("wb") as file:
            file.seek(1 << 20)
            file.write(b"late\n")

        assert [line.lstrip(b"\0") for line in outside.Reader(str(path)).lines()] == [b"late"]


def test_more_than_one_living_run_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(run_dir=str(tmp_path))
    for _ in range(2):
        run_catalog.create(settings).write_host()

    with pytest.raises(run_catalog.RunError, match="More than one run is going on"):
        run_catalog.only_living(settings)


def test_a_run_whose_file_cannot_be_loaded_is_over_at_once(command_line: Any) -> None:
    runs = command_line.folder / "runs"
    command_line.run("run", "app", command_line.app("import nowhere_to_be_found"), "--run-dir", runs)

    (shown,) = json.loads(command_line.run("runs", "--json", "--run-dir", runs).stdout)

    assert shown["state"] == "interrupted"
    assert command_line.run("runs", "rm", "last", "--run-dir", runs).process.returncode == 0
