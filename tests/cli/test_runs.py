"""Commands that look at runs, given two real ones: an app that retried and ended well, and the same one failing after an edit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lightning_apps.cli.main import cli

APP = """
import lightning as L
from dataclasses import dataclass


@dataclass
class Result:
    loss: float


class Train(L.LightningWork):
    def __init__(self):
        super().__init__(retries=1, backoff=0)
        self.loss, self.log = 1.0, []

    def run(self, rate, steps=2):
        if self.attempt == 1:
            raise ValueError("no data yet")
        for step in range(steps):
            self.loss *= 1 - rate
            self.log.append(step)


class Main(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.train, self.idle = Train(), Train()
        self.result, self.n = None, 0

    def run(self):
        self.train.run(0.5, steps=3)
        self.result = Result(self.train.loss)
        self.n = 1
        self.stop()


app = L.LightningApp(Main())
"""


class Runs:
    """The runs of one folder, and commands about them within this process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs, self.said = folder, folder / "runs", ""

    def app(self, text: str, *words: str) -> int:
        (self.folder / "app.py").write_text(text)
        command = [sys.executable, "-m", "lightning_apps", "run", "app", "app.py", "--run-dir", str(self.runs), *words]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LIGHTNING_")}
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        self.said = done.stderr
        return done.returncode

    def say(self, *words: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli, [*words, "--run-dir", str(self.runs)])
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stderr

    def json(self, *words: str) -> Any:
        return json.loads(self.say(*words))

    @property
    def ids(self) -> list[str]:
        return [run["id"] for run in self.json("runs", "--json")]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    runs = Runs(tmp_path_factory.mktemp("two"))
    assert runs.app(APP) == 0
    past_second = int(time.time()) + 1
    while time.time() < past_second:
        os.sched_yield()
    assert runs.app(APP.replace("self.stop()", "self.fail()"), "--", "--lr", "3") == 1
    return runs


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Runs]:
    def make() -> Runs:
        runs = Runs(tmp_path)
        assert runs.app(APP) == 0
        return runs

    return make


def test_runs_are_listed_newest_first_with_how_they_ended(two: Runs) -> None:
    lines = two.say("runs").splitlines()

    assert [line.split()[3:5] for line in lines[1:]] == [["failed", "1"], ["ended", "0"]]
    assert lines[1] > lines[2]
    assert all(line.endswith("app.py") for line in lines[1:])


def test_a_run_is_shown_with_its_works(two: Runs) -> None:
    text = two.say("runs", "show", two.ids[1])

    assert "ended 0" in text
    assert ["root.train", "succeeded"] in [line.split()[:2] for line in text.splitlines()]


def test_a_run_is_found_by_the_end_of_its_id_and_a_wrong_one_is_a_sentence(two: Runs) -> None:
    assert two.ids[1] in two.say("runs", "show", two.ids[1][-6:])
    assert "`lightning runs` lists them" in two.say("runs", "show", "nonsense", code=1)


def test_no_runs_at_all_is_no_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["runs", "--run-dir", str(tmp_path)])

    assert (result.exit_code, result.stdout) == (0, "")
    assert "no runs" in result.stderr


def test_why_tells_of_the_attempt_that_failed_and_the_next(two: Runs) -> None:
    text = two.say("why", "train")

    assert text.startswith("root.train, call 1, run(0.5, steps=3): succeeded at attempt 2")
    assert "The attempt failed: ValueError: no data yet." in text


def test_why_of_a_work_that_is_not_there_names_those_that_are(two: Runs) -> None:
    assert "root.train" in two.say("why", "nonsense", code=1)
    assert "it has: 1" in two.say("why", "train", "7", code=1)


def test_the_state_is_json_without_the_apps_code(two: Runs) -> None:
    assert two.json("state", "last") == {
        "root": {"n": 1, "result": {"loss": 0.125}},
        "root.idle": {"log": [], "loss": 1.0},
        "root.train": {"log": [0, 1, 2], "loss": 0.125},
    }
    assert "app" not in sys.modules


def test_one_component_can_be_asked_for(two: Runs) -> None:
    assert list(two.json("state", "train")) == ["root.train"]
    assert list(two.json("state", two.ids[0], "root")) == ["root", "root.idle", "root.train"]


def test_the_state_at_the_first_turn_is_what_init_made(two: Runs) -> None:
    assert two.json("state", "--at", "1")["root"] == {"n": 0, "result": None}


def test_the_state_at_a_time_is_that_of_the_last_turn_before_it(two: Runs) -> None:
    began = two.json("runs", "show", "--json")["run"]["started"]
    before = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(began - 5))

    assert two.json("state", "--at", time.strftime("%H:%M:%S", time.localtime(began + 60)))["root"]["n"] == 1
    assert two.json("state", "--at", before) == {}
    assert "neither the number of a turn nor a time" in two.say("state", "--at", "soon", code=1)


def test_a_difference_names_what_changed(two: Runs) -> None:
    assert two.json("state", "--diff", "1", "last", "train") == {
        "root.train": {"log": {"before": [], "after": [0, 1, 2]}, "loss": {"before": 1.0, "after": 0.125}}
    }


def test_a_turn_that_never_was_is_a_sentence(two: Runs) -> None:
    assert "has no turn 9999 yet; its last is turn" in two.say("state", "--at", "9999", code=1)


def test_two_runs_differ_in_code_arguments_and_outcome(two: Runs) -> None:
    found = {
        (each["section"], each["what"]): each for each in two.json("runs", "diff", two.ids[1], two.ids[0], "--json")
    }

    assert ("code", "module app.py") in found
    assert found["outcome", "state"]["right"] == "failed 1"
    assert "--lr 3" in found["arguments", "command"]["right"]
    assert "packages: the same" in two.say("runs", "diff", two.ids[1], two.ids[0])


def test_a_run_that_is_over_is_removed(fresh: Callable[[], Runs]) -> None:
    runs = fresh()
    name = runs.ids[0]

    assert runs.say("runs", "rm", name) == f"{name}\n"
    assert runs.ids == []


def test_the_newest_are_kept_when_the_others_are_removed(fresh: Callable[[], Runs]) -> None:
    runs = fresh()
    runs.say("fork", "last", "--at", "1")
    before = runs.ids

    removed = runs.say("runs", "prune", "--keep", "1").split()

    assert removed == before[1:]
    assert runs.ids == before[:1]


def test_a_fork_goes_on_from_an_earlier_turn_and_leaves_the_other_run_as_it_is(fresh: Callable[[], Runs]) -> None:
    runs = fresh()
    source = runs.ids[0]
    whole, early = runs.json("state", source), runs.json("state", source, "--at", "2")

    fork = runs.say("fork", source, "--at", "2").strip()

    assert runs.json("state", fork) == early
    assert early["root"]["n"] == 0
    assert runs.json("runs", "show", fork, "--json")["run"]["forked_from"] == {"run": source, "turn": 2}
    secrets = [(runs.runs / name / "secret") for name in (source, fork)]
    assert not secrets[1].exists() or secrets[0].read_bytes() != secrets[1].read_bytes()

    assert runs.app(APP, "--resume", fork) == 0

    assert runs.json("state", fork)["root"]["n"] == 1
    assert runs.json("state", source) == whole


def test_a_fork_at_a_turn_that_is_not_there_makes_nothing(fresh: Callable[[], Runs]) -> None:
    runs = fresh()

    assert "has no turn 99" in runs.say("fork", "last", "--at", "99", code=1)
    assert len(runs.ids) == 1


@pytest.mark.parametrize(
    "words",
    ["runs", "runs list", "runs show", "runs diff", "why", "state", "fork", "status", "works", "logs", "stop", "retry"],
)
def test_help_fits_a_terminal_of_eighty_columns(words: str) -> None:
    result = CliRunner().invoke(cli, [*words.split(), "--help"], terminal_width=80)

    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_works_are_listed_with_call_and_attempt_and_without_a_place_when_the_run_is_over(two: Runs) -> None:
    (train,) = [work for work in two.json("works", "--json") if work["work"] == "root.train"]

    assert train["call"] == "run(0.5, steps=3)"
    assert (train["status"], train["attempt"], train["place"], train["pid"]) == ("succeeded", 2, "", 0)
    shown = two.say("works").splitlines()
    assert shown[0].split() == ["WORK", "STATUS", "SINCE", "CALL", "ATTEMPT", "PLACE", "PID", "WHY"]


def test_a_resume_that_is_refused_leaves_the_run_as_it_had_ended(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    failing = APP.replace("self.stop()", "self.fail()")
    assert runs.app(failing) == 1

    edited = failing.replace("self.n = None, 0", "self.n, self.new = None, 0, 7")
    assert runs.app(edited, "--resume", "--strict") == 1

    assert runs.json("runs", "--json")[0]["state"] == "failed 1"
    assert runs.app(edited, "--resume") == 1


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_a_run_whose_journal_is_gone_does_not_silently_begin_again(what: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    failing = APP.replace("self.stop()", "self.fail()")
    assert runs.app(failing) == 1
    (journal,) = runs.runs.glob("*/journal.db")
    journal.unlink() if what == "missing" else journal.write_bytes(b"")

    assert runs.app(failing, "--resume") == 1

    assert f"its journal {journal} is missing or empty" in runs.said
