"""What the past tells of works is what the coordinator has, through failures, retries, stops, waits and deaths of either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
from lightning.testing import AppTest

from lightning_apps.base.encoding import encode
from lightning_apps.core.life import ATTACHED, PLACING
from lightning_apps.core.past import Past
from lightning_apps.core.seen import CallSeen, WorkSeen


class Work(L.LightningWork):
    def __init__(self, **options: Any) -> None:
        super().__init__(parallel=True, raise_exception=False, **options)
        self.x = 0

    def run(self, n: int = 0) -> None: ...


class Root(L.LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.once = Work()
        self.again = Work(retries=1, backoff=10, timeout=100)
        self.lazy = Work(start_with_flow=False)
        self.n, self.lazily = 0, False

    def run(self) -> None:
        self.once.run(self.n)
        self.again.run(self.n)
        if self.lazily:
            self.lazy.run()

    def do(self, what: str, work: str) -> None:
        getattr(getattr(self, work), what)()

    def put(self, name: str, value: Any) -> None:
        setattr(self, name, value)


def told(app: AppTest) -> dict[str, Any]:
    past = Past(None, app.starts).follow(app.stage.journal.records())  # type: ignore[attr-defined]
    found = {}
    for name in app.works:
        seen = past.works.get(name, WorkSeen())
        calls = {call.ordinal: (call.stage, call.attempt, call.arguments) for call in seen.calls.values()}
        latest = seen.call
        found[name] = {
            "stage": seen.status()[0],
            "since": seen.status()[1] if seen.status()[0] != "not_started" else 0.0,
            "calls": calls,
            "latest": latest.ordinal if latest is not None else 0,
            "message": latest.message if latest is not None else "",
            "place": seen.place,
            "pid": seen.pid,
            "attached": seen.attached,
            "waits": seen.waits,
        }
    return found


def real(app: AppTest) -> dict[str, Any]:
    found = {}
    for name, life in app.stage.host.coordinator.crew.lives.items():
        status, latest = life.work.status, life.calls.latest
        failure = latest.failure if latest is not None else None
        found[name] = {
            "stage": status.stage,
            "since": status.timestamp if status.stage != "not_started" else 0.0,
            "calls": {
                call.ordinal: (call.stage, call.attempt, app_arguments(app, name, call.ordinal))
                for call in life.calls.by_key.values()
            },
            "latest": latest.ordinal if latest is not None else 0,
            "message": failure.message if failure is not None and failure.reason == "user_exception" else "",
            "place": life.place,
            "pid": life.pid,
            "attached": life.phase == ATTACHED,
            "waits": life.pending_reason if life.phase == PLACING else "",
        }
    return found


def app_arguments(app: AppTest, name: str, ordinal: int) -> str:
    call = app.works[name].calls[ordinal - 1]
    return f"({', '.join(map(repr, call.args))})"


def fails(app: AppTest) -> None:
    app.works["once"].fail(ValueError("boom"))


def asks(what: str, work: str = "once") -> Callable[[AppTest], None]:
    return lambda app: app.ask("root.do", what, work)


STEPS: dict[str, Callable[[AppTest], Any]] = {
    "former arguments": lambda app: app.ask("root.put", "n", app.root.n - 1),
    "held": lambda app: app.works["once"].hold("once waits for 1 GPU"),
    "a place": lambda app: app.works["once"].release(),
    "success": lambda app: app.works["once"].finish(1, x=1),
    "failure": fails,
    "failed, to be made again": lambda app: app.works["again"].fail(ValueError("boom")),
    "death": lambda app: app.works["again"].die("SIGKILL"),
    "SIGTERM": lambda app: app.works["once"].die("SIGTERM"),
    "stop": asks("stop"),
    "retry": asks("retry"),
    "other arguments": lambda app: app.ask("root.put", "n", app.root.n + 1),
    "lazy": lambda app: app.ask("root.put", "lazily", True),
    "started": asks("start", "lazy"),
    "time": lambda app: app.advance(seconds=10),
    "much time": lambda app: app.advance(seconds=300),
    "lost": lambda app: app.works["once"].lose(),
    "crash": lambda app: app.crash(),
    "power cut": lambda app: app.crash(works=True),
}


@pytest.mark.parametrize(
    "steps",
    [
        "success, other arguments, success",
        "failure, retry, success",
        "failure, other arguments",
        "failed, to be made again; time; success; time",
        "death, time, death, time, other arguments",
        "much time, other arguments, crash",
        "stop, other arguments, stop, retry",
        "SIGTERM, retry",
        "lost, success",
        "crash, success, crash, other arguments, power cut, success",
        "power cut, failed, to be made again; crash; time",
        "started, lazy, crash",
        "lazy, power cut, stop",
        "success, other arguments, success, former arguments, other arguments",
        "held, stop, other arguments, time, crash, a place, success, former arguments",
    ],
)
def test_works_are_told_as_they_are(steps: str) -> None:
    app: Any = AppTest(Root)
    core = app.stage.host.coordinator
    app.starts = {0: encode({name: each._lit_values() for name, each in core.tree.items()})}
    app.settle()
    assert told(app) == real(app)
    assert_a_snapshot_tells_the_same(app)

    for step in steps.replace("failed, to", "failed|to").replace(";", ",").split(","):
        STEPS[step.strip().replace("|", ", ")](app)
        app.settle()
        assert told(app) == real(app), step
        assert_a_snapshot_tells_the_same(app)


def assert_a_snapshot_tells_the_same(app: Any) -> None:
    """It knows no reasons of retries, no process numbers and no waits, which the next records tell."""
    core = app.stage.host.coordinator
    from_records = Past(None, app.starts).follow(app.stage.journal.records())
    from_snapshot = Past(encode(core.snapshot()))

    assert (from_snapshot.turn, from_snapshot.at) == (core.turn, core.crew.now)
    assert from_snapshot.values() == from_records.values()
    for name, seen in from_snapshot.works.items():
        other, life = from_records.works.get(name, WorkSeen()), core.crew.lives[name]
        assert seen.status()[:2] == other.status()[:2], name
        assert (seen.latest, seen.place, seen.attached) == (other.latest, other.place, other.attached), name
        assert seen.mirror.dump() == {**life.mirror.dump(), "said": []}
        for call in life.calls.by_key.values():
            told, status = seen.calls[call.ordinal], call.statuses[-1]
            assert (told.ordinal, told.key, told.stage, told.attempt) == (
                call.ordinal,
                call.key,
                call.stage,
                call.attempt,
            )
            assert (told.at, told.reason, told.message) == (status.timestamp, status.reason or "", status.message or "")
            assert told.arguments == other.calls[call.ordinal].arguments
            assert other.of_key(call.key) is other.calls[call.ordinal]


def test_a_status_says_what_is_waited_for_before_why_it_waits_again() -> None:
    seen = WorkSeen()
    assert seen.status() == ("not_started", 0.0, "")
    seen.calls[1] = CallSeen(1, "key", at=5.0, reason="lost")
    seen.latest = 1

    assert seen.status() == ("pending", 5.0, "lost")
    seen.waits = "no GPU is free"
    assert seen.status() == ("pending", 5.0, "no GPU is free")
    seen.attached = True
    assert seen.status() == ("pending", 5.0, "lost")
    seen.attached, seen.calls[1].stage = False, "running"
    assert seen.status() == ("running", 5.0, "lost")
    seen.stage, seen.at = "stopped", 4.0
    assert seen.status()[0] == "running"
    seen.at = 5.0
    assert seen.status() == ("stopped", 5.0, "")
    assert seen.of_key("other") is None
