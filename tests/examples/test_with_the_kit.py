"""Every example with the test kit, as its author would test it: in milliseconds, without a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightning.testing import AppTest, AppWaits, explore

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TESTED = {"nightly", "demo", "pipeline", "schedule", "dynamic", "failure", "seed"}


def test_every_example_is_tested_here() -> None:
    assert {path.parent.name for path in EXAMPLES.glob("*/*.py")} == TESTED


def test_the_demo_reports_milestones_cuts_the_slowest_and_draws_the_best() -> None:
    app = AppTest(EXAMPLES / "demo/app.py").settle()
    losses = {"trainers.0": 0.5, "trainers.1": 0.2, "trainers.2": 0.1}

    for name, loss in losses.items():
        app.works[name].inside.losses[500] = loss
    app.settle()
    assert app.works["trainers.0"].inside.last_epoch == 500
    assert "epoch  500: mean error by rate 0.0005: 0.50000   rate 0.002: 0.20000   rate 0.02: 0.10000" in app.output
    assert "the flow tells rate 0.0005 to give up" in app.output

    for name in losses:
        app.works[name].finish([[1.0, 0.0, 0.5]])

    assert app.finish() == 0
    assert "the best is rate 0.02" in app.output and "●" in app.output


def test_the_nightly_app_trains_once_a_night_for_a_week_and_keeps_the_best() -> None:
    app = AppTest(EXAMPLES / "nightly/app.py", inline=True).settle()

    app.advance(days=7)

    assert app.root.night == 8 and app.root.missed == []
    errors = {call.args[0]: call.value for call in app.calls}
    assert list(errors) == list(range(1, 9)) and errors[app.root.used] == min(errors.values()) == app.root.error


def test_the_pipeline_hands_each_result_to_the_next_work() -> None:
    app = AppTest(EXAMPLES / "pipeline/app.py")
    rows, model = [(0.0, 1.0)], {"slope": 2.0, "offset": 1.0}

    app.works["prepare"].finish(rows)
    app.works["train"].finish(model)
    app.works["evaluate"].finish(0.01)

    assert app.finish() == 0
    assert [(call.work, call.args) for call in app.calls] == [
        ("root.prepare", ()),
        ("root.train", (rows,)),
        ("root.evaluate", (model, rows)),
    ]
    assert "y = 2.0 x + 1.0, mean squared error 0.010\n" in app.output


def test_the_pipeline_for_real_bears_every_death_of_its_host_and_machine() -> None:
    app = AppTest(EXAMPLES / "pipeline/app.py", inline=True)

    assert app.finish() == 0
    assert "y = 2.0 x + 1.0, mean squared error 0.010\n" in app.output
    explore(EXAMPLES / "pipeline/app.py", who=["host", "machine"], crashes="every-turn")


def test_the_schedule_reports_every_two_seconds_three_times() -> None:
    app = AppTest(EXAMPLES / "schedule/app.py", inline=True)

    assert app.finish() == 0
    assert app.output == "report 1\nreport 2\nreport 3\nThree reports are enough.\n"
    assert app.clock.monotonic() == 4.0


def test_works_made_at_run_time_come_and_go_and_the_server_is_stopped_at_last() -> None:
    app = AppTest(EXAMPLES / "dynamic/app.py", inline=["jobs.*"]).settle()
    assert list(app.works) == ["root.server"]  # the jobs were done and deleted

    app.works["server"].say(beats=1)

    assert app.finish() == 0
    assert "squares: [(2, 4), (3, 9), (4, 16), (5, 25)]" in app.output
    assert [call.args for call in app.calls if call.work != "root.server"] == [(2,), (3,), (4,), (5,)]


def test_a_failed_work_is_called_with_other_arguments_and_another_is_tried_again() -> None:
    app = AppTest(EXAMPLES / "failure/app.py")

    app.works["train"].fail(MemoryError("too much"))
    app.works["download"].die()
    app.works["train"].finish()
    app.works["download"].finish()

    assert app.finish() == 0
    assert [call.kwargs for call in app.works["train"].calls] == [{"batch_size": 128}, {"batch_size": 64}]
    assert [call.stage for call in app.works["download"].calls] == ["failed", "succeeded"]
    assert "once more, because died" in app.output


def test_the_seeds_flow_prints_ten_lines_once_and_stays() -> None:
    app = AppTest(EXAMPLES / "seed/flow.py").settle()

    assert app.output.splitlines() == [f"{i}: this kind of code belongs in a LightningFlow" for i in range(10)]
    with pytest.raises(AppWaits, match="nothing to do"):
        app.finish()


def test_the_seeds_flow_waits_for_its_work() -> None:
    app = AppTest(EXAMPLES / "seed/flow_and_work.py").settle()

    assert app.works["lit_work"].stage == "running"
    with pytest.raises(AppWaits, match=r"root\.lit_work, call 1, run\(\): runs"):
        app.finish()
