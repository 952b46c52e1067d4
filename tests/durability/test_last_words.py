"""What works say when the app has ended is kept, and what the end cut short is made again where the app is taken up."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from typing import Any

import msgspec
import pytest

from conftest import CommandLine, CommandProcess, eventually
from core.talk import of
from durability.test_replay import Recorded, ask_once
from lightning_apps.base import messages as m
from lightning_apps.base.messages import Event
from lightning_apps.base.status import WorkStageStatus as Stage
from lightning_apps.wire import codec


def end(talk: Recorded, *events: Any) -> None:
    """The app has ended, and this is heard after that."""
    heard: list[Event] = [
        msgspec.structs.replace(e, raw=codec.dump(e.message)) if isinstance(e, m.Said) else e for e in events
    ]
    talk.outcome = talk.core.absorb(heard, talk.now, "SIGTERM")
    talk.keep()


def changed(talk: Recorded, name: str, value: Any) -> Any:
    version = talk.core.crew.lives["root.w"].mirror.version
    return talk.said("w", m.Changed(version, (m.Change((name,), m.SET, value),)))


def test_what_an_idle_work_changes_at_the_end_is_there_in_the_next_life() -> None:
    talk = Recorded(ask_once, parallel=True, start_with_flow=False)
    talk.running_call()
    talk.succeed("w", "done")
    end(talk, changed(talk, "x", 8), m.Exited(talk.place("w"), 0))

    core, effects = talk.again()

    assert core.root.w.x == 8 and core.crew.lives["root.w"].calls.latest.value == "done"
    assert not of(effects, m.Place)


@pytest.mark.parametrize("stage", [Stage.STOPPED, Stage.FAILED])
def test_a_call_that_the_end_cut_short_is_made_again_whatever_its_work_says_of_it(stage: str) -> None:
    talk = Recorded(ask_once, parallel=True)
    talk.running_call()
    failure = m.Failure("user_exception", "the socket is gone") if stage == Stage.FAILED else None
    end(talk, changed(talk, "x", 8), talk.moved("w", stage, failure=failure), m.Exited(talk.place("w"), 0))

    core, effects = talk.again()

    assert [place.place for place in of(effects, m.Place)] == ["root.w@2"]
    assert core.root.w.x == 8  # to be read until the next attempt begins
    call = core.crew.lives["root.w"].calls.latest
    assert (call.stage, call.failures) == (Stage.PENDING, 0)
    core.step([m.Attached("root.w@2", 1), m.Said("root.w@2", 1, m.Ready(talk.now))], talk.now)
    assert core.root.w.x == 0


def test_a_success_that_comes_after_the_end_counts_and_the_next_call_waits_for_the_next_life() -> None:
    def run(root: Any) -> None:
        root.w.run(1)
        root.w.run(2)

    talk = Recorded(run, parallel=True)
    talk.running_call()
    end(talk, talk.moved("w", Stage.SUCCEEDED))

    core, effects = talk.again()

    assert not of(talk.outcome.effects, m.Run)
    assert core.crew.lives["root.w"].calls.successes == 1
    assert [place.work for place in of(effects, m.Place)] == ["root.w"]


def test_an_interrupted_turn_keeps_what_came_in_and_nothing_of_what_the_flow_did() -> None:
    def run(root: Any) -> None:
        root.w.run(1)
        if root.w.has_succeeded:
            root.n = 5
            core.interrupt()

    talk = Recorded(run, parallel=True)
    core = talk.core
    talk.running_call()
    with pytest.raises(KeyboardInterrupt):
        talk.tell(talk.moved("w", Stage.SUCCEEDED, "done"))
    talk.outcome = core.cut_short()
    talk.keep()

    again, _ = talk.again()

    assert (talk.root.n, again.root.n) == (0, 0)
    assert again.crew.lives["root.w"].calls.latest.value == "done"


def test_an_interrupt_between_turns_lets_nothing_of_users_run_any_more() -> None:
    talk = Recorded(ask_once, parallel=True)
    talk.core.interrupt()

    with pytest.raises(KeyboardInterrupt):
        talk.tell()
    assert talk.root._turns == 0


APP = """
import os, time
import lightning as L

class Work(L.LightningWork):
    def __init__(self, hangs=False):
        super().__init__(parallel=True)
        self.hangs, self.lives, self.unwound, self.words = hangs, 0, False, []

    def run(self, call):
        open(f"{self.name}.{self.attempt}", "w").close()
        try:
            while self.hangs and not os.path.exists("enough"):
                time.sleep(0.005)
        finally:
            for word in range(100):
                self.words.append(word)
            self.unwound = True

    def on_exit(self):
        self.lives += 1
        if os.path.exists("kill"):
            os.kill(int(open("host").read()), 9)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.idle, self.busy = Work(), Work(hangs=True)

    def run(self):
        with open("host.new", "w") as file:
            file.write(str(os.getpid()))
        os.replace("host.new", "host")
        self.idle.run(1)
        self.busy.run(1)
        if os.path.exists("fail"):
            raise ValueError("as asked")
        if os.path.exists("enough") and self.idle.has_succeeded and self.busy.has_succeeded:
            print("lives", self.idle.lives, self.busy.lives, self.busy.attempt, len(self.busy.words), flush=True)
            self.stop()

app = L.LightningApp(Root(), tick=0.02)
"""


def start(line: CommandLine, *more: str) -> CommandProcess:
    path = line.app(APP)
    return line.start("run", "app", path, "--run-dir", line.folder / "runs", "--open-ui", "false", *more)


def until_busy(line: CommandLine, process: CommandProcess, attempt: int = 1) -> None:
    eventually((line.folder / f"root.busy.{attempt}").exists, 20, what=process.report)
    eventually((line.folder / "root.idle.1").exists, 20, what=process.report)


def state(line: CommandLine) -> dict[str, Any]:
    process = line.run("state", "--run-dir", line.folder / "runs")
    found: dict[str, Any] = json.loads(process.stdout)
    return found


def resumed(line: CommandLine) -> str:
    """What the app says of itself in its next life, in which it comes to its end."""
    (line.folder / "enough").touch()
    process = start(line, "--resume", "last")
    assert process.wait() == 0, process.report()
    process.assert_nothing_left()
    return process.stdout.strip()


@pytest.mark.parametrize("how", ["ctrl-c", "sigterm", "stop", "failure"])
def test_what_works_change_while_the_app_ends_is_seen_by_state_and_by_the_next_life(
    command_line: CommandLine, how: str
) -> None:
    process = start(command_line)
    until_busy(command_line, process)
    eventually(lambda: "succeeded" in command_line.run("status", "--run-dir", command_line.folder / "runs").stdout)

    if how == "ctrl-c":
        process.interrupt()
    elif how == "sigterm":
        process.signal(signal.SIGTERM)
    elif how == "stop":
        command_line.run("stop", "--run-dir", command_line.folder / "runs")
    else:
        (command_line.folder / "fail").touch()
    assert process.wait() == {"ctrl-c": 130, "failure": 1}.get(how, 143), process.report()
    process.assert_nothing_left()

    found = state(command_line)
    assert (found["root.idle"]["lives"], found["root.busy"]["lives"]) == (1, 1)
    assert found["root.busy"]["unwound"] and len(found["root.busy"]["words"]) == 100
    if how == "failure":
        (command_line.folder / "fail").unlink()
    assert resumed(command_line) == "lives 1 0 2 100"


def test_a_host_that_is_killed_while_the_app_ends_loses_no_more_than_last_words(command_line: CommandLine) -> None:
    process = start(command_line)
    until_busy(command_line, process)
    (command_line.folder / "kill").touch()

    process.interrupt()

    assert process.wait() == 130, process.report()
    process.assert_nothing_left()
    (command_line.folder / "kill").unlink()
    host = int((command_line.folder / "host").read_text())
    assert resumed(command_line).startswith("lives ")
    assert int((command_line.folder / "host").read_text()) != host
    assert os.path.exists(command_line.folder / "root.busy.2")


def test_an_app_whose_host_is_killed_when_it_has_ended_leaves_with_the_code_that_it_had_ended_with(
    command_line: CommandLine,
) -> None:
    (command_line.folder / "enough").touch()
    (command_line.folder / "kill").touch()

    process = start(command_line)

    assert process.wait() == 0, process.report()
    process.assert_nothing_left()
    assert "The process of the flow was ended by SIGKILL while it ended the app." in process.stderr


def test_an_app_whose_end_was_recorded_and_not_carried_out_is_not_gone_on_with(command_line: CommandLine) -> None:
    (command_line.folder / "fail").touch()
    process = start(command_line)
    assert process.wait() == 1
    (command_line.folder / "fail").unlink()
    (run,) = (command_line.folder / "runs").glob("2*")
    with sqlite3.connect(run / "journal.db") as journal:
        journal.execute(
            "delete from meta where key = 'ended'"
        )  # as if the host had been killed just before it wrote that
    journal.close()

    process = start(command_line, "--resume", "last")

    assert process.wait() == 1
    assert "The app had just ended when its process was killed." in process.stderr


def test_why_says_that_the_end_of_the_app_cut_a_call_short(command_line: CommandLine) -> None:
    process = start(command_line)
    until_busy(command_line, process)
    process.interrupt()
    process.wait()

    told = command_line.run("why", "busy", "--run-dir", command_line.folder / "runs").stdout

    assert "was running (at its first attempt) when the records end" in told
    assert "The app ended (SIGINT), and its process was cut short with it." in told
