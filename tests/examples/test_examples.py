"""Every example, run as a person would run it: what it prints, how it ends, and that no process of it is left."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ENDING = ["demo/app.py", "pipeline/app.py", "schedule/app.py", "dynamic/app.py", "failure/app.py"]


def lines(text: str) -> list[str]:
    return text.splitlines()


def run(command_line, name: str, *options: str):
    return command_line.run("run", "app", EXAMPLES / name, "--open-ui=false", *options)


@pytest.mark.parametrize("name", ENDING)
def test_an_example_ends_by_itself_with_0_and_says_nothing_of_an_error(command_line, name):
    app = run(command_line, name)

    assert app.process.returncode == 0, app.report()
    assert "Traceback" not in app.stdout, app.report()


@pytest.mark.parametrize("name", ["demo/app.py", "pipeline/app.py", "schedule/app.py"])
def test_an_example_runs_in_one_process_as_well(command_line, name):
    app = run(command_line, name, "--engine", "inline")

    assert app.process.returncode == 0, app.report()


def test_the_demo_compares_the_works_cuts_the_slowest_short_and_draws_the_curve_of_the_best(command_line):
    printed = lines(run(command_line, "demo/app.py").stdout)

    epochs = [line.split(":")[0] for line in printed if line.startswith("epoch")]
    assert epochs == ["epoch  500", "epoch 1000", "epoch 2000", "epoch 4000", "epoch 8000"]
    assert "the flow tells rate 0.0005 to give up" in printed
    assert any(line.startswith("rate 0.0005: gave up after ") for line in printed)
    assert "rate 0.02: done after 8000 epochs" in printed
    assert any(line.startswith("the best is rate 0.02") for line in printed)
    assert len([line for line in printed if "●" in line]) == 9


def test_the_pipeline_runs_each_work_once_and_in_order(command_line):
    app = run(command_line, "pipeline/app.py")

    assert sorted(lines(app.stdout)) == [  # the flow's line and the works' lines come on different ways
        "evaluated",
        "prepared 200 rows",
        "trained",
        "y = 2.0 x + 1.0, mean squared error 0.010",
    ]
    assert "The pipeline is done." in app.stderr


def test_the_schedule_fires_three_times(command_line):
    assert lines(run(command_line, "schedule/app.py").stdout) == ["report 1", "report 2", "report 3"]


def test_works_made_at_run_time_are_called_deleted_and_stopped(command_line):
    printed = lines(run(command_line, "dynamic/app.py").stdout)

    assert [line for line in printed if line.startswith("a work")] == [f"a work for {n}" for n in (2, 3, 4, 5)]
    assert "squares: [(2, 4), (3, 9), (4, 16), (5, 25)]" in printed
    assert printed.count("the server says goodbye") == 1


def test_a_failed_work_is_called_with_other_arguments_or_retried(command_line):
    app = run(command_line, "failure/app.py")

    tries = [line for line in lines(app.stdout) if line.startswith("next try")]
    assert tries == ["next try: batches of 64", "next try: batches of 32"]
    assert "trained with batches of 32" in app.stdout
    assert "once more, because user_exception" in app.stdout
    assert "downloaded by attempt 2" in app.stdout
    assert "MemoryError: a batch of 128 does not fit" in app.stderr, app.report()
    assert "ConnectionError: the server hung up" in app.stderr, app.report()


def test_the_seeds_flow_prints_ten_lines_once_and_stays_up_until_it_is_interrupted(command_line):
    app = command_line.start("run", "app", EXAMPLES / "seed/flow.py", "--open-ui=false")

    app.wait_for("9: this kind of code belongs in a LightningFlow")
    assert app.process.poll() is None
    app.interrupt()

    assert app.wait() == 130, app.report()
    assert lines(app.stdout) == [f"{i}: this kind of code belongs in a LightningFlow" for i in range(10)]
    app.assert_nothing_left()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_seeds_flow_and_work_prints_every_two_seconds_until_it_is_told_to_end(command_line, number, code):
    app = command_line.start("run", "app", EXAMPLES / "seed/flow_and_work.py", "--open-ui=false")

    app.wait_for("1 LightningWork: work that is long running or may never end (like a server)")
    app.signal(number)

    assert app.wait() == code, app.report()
    assert lines(app.stdout)[:2] == [
        f"{i} LightningWork: work that is long running or may never end (like a server)" for i in range(2)
    ]
    app.assert_nothing_left()
