"""Schedules: True at first, then once for each due time."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from types import CodeType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.errors import ScheduleError
from lightning_apps.core.timers import Schedules, qualified_name, schedule_key

HOUR = 3600.0
KEY = "\x1f".join(("root", "hourly", "", "Flow.run+3"))


def hourly(name: str = "root", pattern: str = "hourly") -> str:
    return "\x1f".join((name, pattern, "", "Flow.run+3"))


@pytest.fixture
def schedules() -> Schedules:
    return Schedules(zone=timezone.utc)


def test_the_first_question_is_answered_with_true_at_once(schedules: Schedules) -> None:
    assert schedules.ask(KEY, "hourly", None, now=100.0)
    assert not schedules.ask(KEY, "hourly", None, now=100.0)
    assert schedules.next_at == HOUR


def test_a_due_time_is_true_once(schedules: Schedules) -> None:
    schedules.ask(KEY, "hourly", None, now=100.0)

    assert not schedules.ask(KEY, "hourly", None, now=HOUR - 0.001)
    assert schedules.ask(KEY, "hourly", None, now=HOUR)
    assert not schedules.ask(KEY, "hourly", None, now=HOUR + 0.001)


def test_a_due_time_stays_due_until_the_line_is_reached_and_wakes_the_flow_once(schedules: Schedules) -> None:
    schedules.ask(KEY, "hourly", None, now=0.0)

    assert schedules.due(HOUR) == (KEY,)
    assert schedules.due(HOUR + 1) == ()
    assert schedules.next_at is None
    assert schedules.ask(KEY, "hourly", None, now=HOUR + 1800)
    assert schedules.next_at == 2 * HOUR


def test_due_times_that_were_missed_become_one(schedules: Schedules) -> None:
    schedules.ask(KEY, "hourly", None, now=0.0)

    assert schedules.ask(KEY, "hourly", None, now=5.5 * HOUR)
    assert not schedules.ask(KEY, "hourly", None, now=5.6 * HOUR)
    assert schedules.ask(KEY, "hourly", None, now=6 * HOUR)


def test_every_schedule_fires_not_only_the_last(schedules: Schedules) -> None:
    keys = [hourly(f"root.w{n}") for n in range(3)]
    for key in keys:
        schedules.ask(key, "hourly", None, now=0.0)

    assert schedules.due(HOUR) == tuple(keys)
    assert all(schedules.ask(key, "hourly", None, now=HOUR) for key in keys)


def test_nothing_is_due_before_a_start_time_that_lies_ahead_except_at_first(schedules: Schedules) -> None:
    start = datetime(1970, 1, 1, 5, 30)

    assert schedules.ask(KEY, "hourly", start, now=0.0)
    assert not schedules.ask(KEY, "hourly", start, now=5 * HOUR)
    assert schedules.next_at == 6 * HOUR


def test_a_start_time_in_the_past_replays_nothing(schedules: Schedules) -> None:
    assert schedules.ask(KEY, "hourly", datetime(1970, 1, 1, tzinfo=timezone.utc), now=10.5 * HOUR)
    assert not schedules.ask(KEY, "hourly", datetime(1970, 1, 1), now=10.6 * HOUR)
    assert schedules.next_at == 11 * HOUR


def test_an_invalid_pattern_raises_at_the_call_and_leaves_nothing(schedules: Schedules) -> None:
    with pytest.raises(ScheduleError, match="every now and then"):
        schedules.ask(hourly(pattern="every now and then"), "every now and then", None, now=0.0)

    assert schedules.dump() == {}


def test_what_was_dumped_comes_back_and_what_was_missed_meanwhile_is_due_once(schedules: Schedules) -> None:
    schedules.ask(KEY, "hourly", None, now=0.0)
    again = Schedules(zone=timezone.utc)

    again.load(schedules.dump())

    assert again.due(10.5 * HOUR) == (KEY,)
    assert again.ask(KEY, "hourly", None, now=10.5 * HOUR)
    assert not again.ask(KEY, "hourly", None, now=10.6 * HOUR)


def test_a_restored_schedule_is_not_new(schedules: Schedules) -> None:
    schedules.ask(KEY, "hourly", None, now=0.0)
    again = Schedules(zone=timezone.utc)
    again.load(schedules.settle())

    assert not again.ask(KEY, "hourly", None, now=100.0)


def test_a_turn_that_is_void_took_no_due_time_away(schedules: Schedules) -> None:
    schedules.ask(KEY, "hourly", None, now=0.0)
    schedules.settle()
    schedules.ask(KEY, "hourly", None, now=HOUR)
    schedules.ask(hourly("root.new"), "hourly", None, now=HOUR)

    schedules.undo()

    assert schedules.settle() == {}
    assert list(schedules.dump()) == [KEY]
    assert schedules.ask(KEY, "hourly", None, now=HOUR)


def test_what_a_turn_changed_is_said_once(schedules: Schedules) -> None:
    schedules.ask(KEY, "hourly", None, now=7.0)

    assert schedules.settle() == {KEY: 7.0}
    assert schedules.settle() == {}


def test_the_schedules_of_a_component_that_left_are_forgotten_with_those_below_it(schedules: Schedules) -> None:
    for name in ("root.a", "root.a.b", "root.ab"):
        schedules.ask(hourly(name), "hourly", None, now=0.0)
    schedules.settle()

    schedules.drop("root.a")

    assert list(schedules.dump()) == [hourly("root.ab")]
    assert schedules.settle() == {hourly("root.a"): None, hourly("root.a.b"): None}


@given(st.lists(st.floats(0.01, 5 * HOUR), min_size=1, max_size=60))
def test_there_is_one_true_for_each_due_time_that_was_not_missed_and_no_drift(steps: list[float]) -> None:
    schedules, now = Schedules(zone=timezone.utc), 0.0
    schedules.ask(KEY, "hourly", None, now)
    for step in steps:
        passed = int((now + step) // HOUR) > int(now // HOUR)
        now += step

        assert schedules.ask(KEY, "hourly", None, now) is passed
        assert schedules.next_at == (now // HOUR + 1) * HOUR


class Asker:
    def ask(self) -> tuple[CodeType, int]:
        frame = sys._getframe()
        return frame.f_code, frame.f_lineno


class Heir(Asker):
    def ask(self) -> tuple[CodeType, int]:
        return super().ask()


def test_edits_above_the_function_leave_the_key_alone() -> None:
    code, line = Asker().ask()
    moved = code.replace(co_firstlineno=code.co_firstlineno + 40)

    key = schedule_key("root", "hourly", None, code, line, Asker)

    assert key == schedule_key("root", "hourly", None, moved, line + 40, Asker) or not hasattr(code, "co_qualname")
    assert key.endswith("Asker.ask+2")


def test_keys_differ_by_component_pattern_user_key_function_and_line() -> None:
    code, line = Asker().ask()
    other = Heir.ask.__code__
    keys = {
        schedule_key("root", "hourly", None, code, line, Heir),
        schedule_key("root.a", "hourly", None, code, line, Heir),
        schedule_key("root", "daily", None, code, line, Heir),
        schedule_key("root", "hourly", "mine", code, line, Heir),
        schedule_key("root", "hourly", None, other, other.co_firstlineno + 2, Heir),
        schedule_key("root", "hourly", None, code, line + 1, Heir),
    }

    assert len(keys) == 6


def test_functions_of_one_name_in_a_class_and_its_base_are_told_apart() -> None:
    assert qualified_name(Asker.ask.__code__, Heir) == "Asker.ask"
    assert qualified_name(Heir.ask.__code__, Heir) == "Heir.ask"
