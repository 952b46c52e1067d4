"""The protocol of engines itself: place, stop, observe, close, and what is reported of it, without any app."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent.parent
STAND_INS = {"inline": "engines/inline_stand_in.py", "ray": "engines/ray_stand_in.py"}
REST = """
def rest():
    while True: time.sleep(100)
"""
HOST = """
from lightning_apps.base.messages import EngineClosed, Exited, Refused, Started, Waiting

def events(kind, name):
    return [e for e in desk.events if isinstance(e, kind) and e.place == f"root.{name}@1"]

def state(name):
    return desk.engine.observe(f"root.{name}@1").state
"""


@pytest.fixture
def host(way: Any, command_line: Any, tmp_path: Path) -> Callable[..., Any]:
    """`host(text, works={name: text}, **settings)` runs a stand-in host with this way's engine; fails unless it ends well."""

    def run(text: str, works: dict[str, str], **more: Any) -> Any:
        script = STAND_INS.get(way.name, "host/stand_in.py")
        bodies = works if way.name == "inline" else {name: REST + body for name, body in works.items()}
        order = {
            "settings": more,
            "folder": str(tmp_path),
            "load": "",
            "host": HOST + text,
            "works": bodies,
            "embedded": True,
        }
        process = command_line.execute([sys.executable, str(TESTS / script), json.dumps(order)], env=way.env)
        assert process.wait(90.0) == 0, process.report()
        process.assert_nothing_left()
        return process

    return run


def test_a_worker_is_started_and_its_end_is_reported_exactly_once(host):
    host(
        """
assert state("a") == "unknown"
desk.start("a")
ended = desk.ended("a")
assert (ended.code, ended.signal, ended.lost) == (0, None, False), ended
assert state("a") == "exited"
desk.start("b")
desk.ended("b")
assert len(events(Started, "a")) == len(events(Exited, "a")) == 1, desk.events
assert desk.events.index(events(Started, "a")[0]) < desk.events.index(events(Exited, "a")[0])
""",
        {"a": "pass", "b": "pass"},
    )


def test_placing_the_same_place_again_changes_nothing(host):
    host(
        """
desk.start("a")
desk.place("a")
desk.place("a")
assert state("a") == "running"
desk.engine.stop("root.a@1", 5.0)
desk.ended("a")
assert len(events(Started, "a")) == len(events(Exited, "a")) == 1, desk.events
""",
        {"a": "rest()"},
    )


def test_stopping_ends_a_worker_and_stopping_again_or_a_stranger_changes_nothing(host):
    host(
        """
desk.start("a", "b")
desk.engine.stop("root.a@1", 5.0)
desk.engine.stop("root.a@1", 5.0)
desk.engine.stop("root.nobody@1", 5.0)
desk.ended("a")
desk.engine.stop("root.a@1", 5.0)
assert state("b") == "running"
assert len(events(Exited, "a")) == 1
assert not events(Exited, "b")
""",
        {"a": "rest()", "b": "rest()"},
    )


def test_closing_ends_every_worker_and_then_says_so(host):
    host(
        """
desk.start("a", "b")
desk.engine.close(5.0)
desk.until(lambda: any(isinstance(e, EngineClosed) for e in desk.events))
assert desk.engine.closed
assert len(events(Exited, "a")) == len(events(Exited, "b")) == 1, desk.events
assert isinstance(desk.events[-1], EngineClosed)
desk.engine.close(0.0)
""",
        {"a": "rest()", "b": "rest()"},
    )


def test_an_engine_without_workers_closes_too(host):
    host("desk.engine.close(5.0)\ndesk.until(lambda: desk.engine.closed)", {})


def test_a_bad_end_is_told_from_a_good_one(host):
    host('desk.start("a")\nassert desk.ended("a").code', {"a": "sys.exit(3)"})


@pytest.mark.needs("isolation")
def test_the_exit_code_is_reported(host):
    host('desk.start("a")\nassert desk.ended("a").code == 3', {"a": "os._exit(3)"})


@pytest.mark.needs("isolation", "signals")
def test_the_signal_that_ended_a_worker_is_reported(host):
    host(
        'desk.start("a")\nended = desk.ended("a")\nassert (ended.code, ended.signal) == (None, 9), ended',
        {"a": "os.kill(os.getpid(), 9)"},
    )


@pytest.mark.needs("signals")
def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace(host):
    host(
        """
desk.start("a")
desk.until(lambda: os.path.exists(os.path.join(desk.folder, "deaf")))
desk.engine.stop("root.a@1", 0.1)
assert desk.ended("a").signal == 9
""",
        {"a": "signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w').close(); rest()"},
    )


@pytest.mark.needs("devices")
@pytest.mark.xdist_group("devices")  # the cluster has one
def test_what_others_hold_is_waited_for_and_what_is_not_there_is_refused(host):
    host(
        """
desk.start("b", devices=1)
desk.place("c", devices=1)
desk.until(lambda: events(Waiting, "c"))
(waiting,) = events(Waiting, "c")
assert waiting.holders in ((), ("root.b@1",)) and waiting.reason, waiting  # who holds it is known on one machine only
assert state("c") == "pending"
desk.place("d", devices=2)
desk.until(lambda: events(Refused, "d"))
assert "2" in events(Refused, "d")[0].reason
desk.engine.stop("root.b@1", 5.0)
desk.until(lambda: events(Started, "c"))
""",
        dict.fromkeys("bcd", "rest()"),
        gpus="0",
    )


@pytest.mark.needs("devices")
@pytest.mark.xdist_group("devices")  # the cluster has one
def test_a_worker_that_still_waits_can_be_stopped(host):
    host(
        """
desk.start("a", devices=1)
desk.place("b", devices=1)
desk.until(lambda: events(Waiting, "b"))
desk.engine.stop("root.b@1", 5.0)
desk.ended("b")
assert not events(Started, "b")
""",
        {"a": "rest()", "b": "rest()"},
        gpus="0",
    )
