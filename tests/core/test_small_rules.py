"""Small rules of the core, each by itself: lists that both sides write, starts of schedules, paces, words for reasons."""

from __future__ import annotations

import decimal
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import lightning as L
import pytest
from msgspec import Raw

from lightning_apps.base import messages as m
from lightning_apps.base.encoding import decode, encode
from lightning_apps.base.errors import Blocked, ScheduleError
from lightning_apps.base.messages import DELETE, SET, SPLICE, Change, Changed, Changes, Failure, Say, Whole
from lightning_apps.core import cron, layouts
from lightning_apps.core.arguments import describe_arguments
from lightning_apps.core.mirror import Mirror
from lightning_apps.core.options import Options
from lightning_apps.core.pace import Pace
from lightning_apps.core.phrases import because, last_line
from lightning_apps.core.timers import SEPARATOR, Schedules

from .talk import Root, Talk, Work, of


class Held(L.LightningWork):
    def __init__(self) -> None:
        super().__init__()
        self.n, self.items, self.table = 0, [[0], {"a": [1]}], {"list": [1, 2], "dict": {"x": 1}, "n": 1}

    def run(self) -> None: ...


def wrote(mirror: Mirror, *path: Any) -> int:
    """The flow wrote at a path, and that was sent; the version."""
    mirror.note(path, Raw(encode(0)))
    message = mirror.take_outgoing()
    assert message is not None
    return message.version


# a work's late change inside a list that the flow has written meanwhile is asked for as a whole; other changes count ----


@pytest.mark.parametrize(
    ("written", "change", "asked"),
    [
        (("items",), Change(("items",), SPLICE, [0, 0, [9]]), ("items",)),
        (("items",), Change(("items", 0), SPLICE, [0, 0, [9]]), ("items",)),
        (("items", 1), Change(("items", 0, 0), SET, 5), ("items",)),
        (("items", 0), Change(("items", 0, 0), SET, 5), ("items",)),
        (("items",), Change(("items", 1, "a", 0), SET, 5), ("items",)),
        (("table", "list"), Change(("table", "list"), SPLICE, [2, 0, [3]]), ("table", "list")),
        (("table", "list"), Change(("table", "list", 0), SET, 7), ("table", "list")),
        (("table",), Change(("table", "list", 0), SET, 7), ("table", "list")),
        (("table", "n"), Change(("table", "list", 0), SET, 7), None),
        (("table", "list"), Change(("table", "dict", "x"), SET, 7), None),
        (("table", "list"), Change(("table", "list"), SET, [7]), None),
        (("n",), Change(("items",), SPLICE, [0, 0, [9]]), None),
        (("items",), Change(("n",), SET, 7), None),
        (("items",), Change(("items",), SET, [7]), None),
        (("table",), Change(("table", "dict", "x"), DELETE, None), None),
    ],
)
def test_what_a_late_change_means_depends_on_the_list_it_is_in(written: Any, change: Change, asked: Any) -> None:
    work, mirror = Held(), Mirror()
    seen = mirror.version
    version = wrote(mirror, *written)

    questions = mirror.absorb(work, Changed(seen, (change,)))

    # a path below the flow's own write, or above it, is what is meant by "the same list"
    same_list = asked is not None
    assert [(q.version, q.path) for q in questions] == ([(version + 1, asked)] if same_list else [])
    assert mirror.refused == ([change] if same_list else [])
    assert mirror.asking is same_list


def test_a_question_is_asked_once_and_answered_by_a_word_that_has_seen_it() -> None:
    work, mirror = Held(), Mirror()
    seen = mirror.version
    wrote(mirror, "items")
    splice = Change(("items",), SPLICE, [0, 0, [9]])

    (question,) = mirror.absorb(work, Changed(seen, (splice,)))
    assert mirror.absorb(work, Changed(seen, (splice,))) == []

    assert mirror.absorb(work, Changed(question.version, (Change(("items",), SET, [9]),))) == []
    assert not mirror.asking
    assert list(work.items) == [9]


def test_a_change_that_does_not_fit_is_asked_for_by_its_attribute() -> None:
    work, mirror = Held(), Mirror()

    (question,) = mirror.absorb(work, Changed(mirror.version, (Change(("items", 7, "a"), SET, 1),)))

    assert question.path == ("items",)


def test_what_was_said_is_kept_until_it_has_arrived_and_comes_back_from_a_snapshot() -> None:
    work, mirror = Held(), Mirror()
    seen = mirror.version
    first, second = wrote(mirror, "n"), wrote(mirror, "items")
    (question,) = mirror.absorb(work, Changed(seen, (Change(("items",), SPLICE, [0, 0, [9]]),)))
    assert [each.version for each in mirror.said] == [first, second, question.version]

    again = Mirror()
    again.load(decode(encode(mirror.dump())))
    assert again.said == mirror.said
    assert [type(each) for each in again.said] == [Changes, Changes, Whole]
    assert again.asking and again.version == mirror.version

    mirror.received(first)
    assert [each.version for each in mirror.said] == [second, question.version]


def test_a_worker_that_says_what_it_has_got_is_not_told_again() -> None:
    values = [0]
    talk = Talk(Root(lambda root: setattr(root.w, "x", values[0]), w=Work()))
    talk.tell()
    talk.arrive("w")
    values[0] = 5
    talk.tell(m.Asked("1", "root", "works"))
    talk.settle()
    life = talk.core.crew.lives["root.w"]
    assert life.mirror.said

    turns = talk.root._turns
    effects = talk.tell(m.Got(talk.place("w"), life.mirror.version), m.Got("root.w@99", 7))

    assert not life.mirror.said
    assert not of(effects, Changes)
    assert talk.root._turns == turns  # it is no reason for the flow to run


KEY = SEPARATOR.join(("root", "0 * * * *", "", "run+1"))

# schedules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 5, 1, 12, 30),
        datetime(2026, 5, 1, 10, 30, tzinfo=timezone.utc),
        datetime(2026, 5, 1, 13, 30, tzinfo=timezone(timedelta(hours=3))),
        datetime(2026, 5, 1, 10, 30, tzinfo=timezone.utc).timestamp(),
    ],
)
def test_a_start_without_a_zone_is_in_that_of_the_schedules(start: Any) -> None:
    schedules = Schedules(ZoneInfo("Europe/Berlin"))
    now = datetime(2026, 5, 1, 6, tzinfo=timezone.utc).timestamp()

    assert schedules.ask(KEY, "0 * * * *", start, now)

    assert schedules.next_at == datetime(2026, 5, 1, 11, tzinfo=timezone.utc).timestamp()


def test_a_schedule_goes_on_in_its_zone_when_it_was_due_and_after_a_snapshot() -> None:
    zone = ZoneInfo("Asia/Kolkata")  # half an hour off
    schedules = Schedules(zone)
    now = datetime(2026, 5, 1, 6, 0, tzinfo=timezone.utc).timestamp()
    schedules.ask(KEY, "0 * * * *", None, now)
    assert schedules.next_at == now + 1800
    assert schedules.ask(KEY, "0 * * * *", None, now + 1800)
    assert schedules.next_at == now + 5400

    again = Schedules(zone)
    again.load(schedules.dump())
    assert again.next_at == now + 5400
    assert not again.ask(KEY, "0 * * * *", None, now + 5399)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ("*", set(range(60))),
        ("7", {7}),
        ("0-3", {0, 1, 2, 3}),
        ("10-20/5", {10, 15, 20}),
        ("50/5", {50, 55}),
        ("*/20", {0, 20, 40}),
        ("5/1", set(range(5, 60))),
        ("1,3-4,58/1", {1, 3, 4, 58, 59}),
        ("59", {59}),
    ],
)
def test_seconds_are_read_as_the_other_fields_are(field: str, seconds: set[int]) -> None:
    pattern, minute = cron.Pattern(f"* * * * * {field}"), 1767225600.0
    at, found = minute - 0.5, set()
    while (at := pattern.after(at, timezone.utc)) < minute + 60:
        found.add(int(at - minute))

    assert found == seconds


@pytest.mark.parametrize("field", ["60", "5-3", "*/0", "a", "1-", "-1", "١", "1/x", "", "1,,2", "²"])
def test_seconds_that_are_none_are_refused(field: str) -> None:
    with pytest.raises(ScheduleError):
        cron.Pattern(f"* * * * * {field or ','}")


def test_local_time_is_that_of_this_machine() -> None:
    zone, moment = cron.LocalTime(), datetime(2026, 7, 1, 12, tzinfo=timezone.utc)

    assert moment.astimezone(zone).replace(tzinfo=None) == moment.astimezone().replace(tzinfo=None)
    assert moment.astimezone(zone).tzinfo is zone
    assert zone.utcoffset(None) == timedelta(0)
    assert moment.astimezone(zone).astimezone(timezone.utc) == moment
    assert zone.tzname(None) == "local time"


# paces, words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turns", "pause"), [(99, 0.0), (100, 0.0), (101, 0.00100695), (200, 0.002), (300, 0.004), (9999, 0.1)]
)
def test_a_flow_that_moves_itself_is_slowed_down_twice_as_much_each_hundred_turns(turns: int, pause: float) -> None:
    pace = Pace(Options(pace_after=100, pace_fastest=0.001, pace_slowest=0.1), lambda effect: None)
    pace.runs(50.0)
    for _ in range(turns):
        pace.ran(True)

    assert pace.next_at == (pytest.approx(50.0 + pause) if pause else 0.0)


def test_however_slow_the_slowest_pace_is_it_can_be_counted() -> None:
    pace = Pace(Options(pace_after=0, pace_fastest=1.0, pace_slowest=1e12), lambda effect: None)
    for _ in range(100_000):
        pace.ran(True)

    assert pace.next_at == 2.0**30


def test_reasons_have_words_and_unknown_ones_stand_for_themselves() -> None:
    assert because("timeout") == "it took longer than it may"
    assert because("retry in 4 s") == "retry in 4 s"
    assert because("") == "of something that is not recorded"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Traceback\n  x\nValueError: y  \n", "ValueError: y"),
        ("", "it did not say why."),
        (" \n ", "it did not say why."),
    ],
)
def test_the_last_line_of_a_failure(message: str, said: str) -> None:
    assert last_line(Failure("user_exception", message)) == said
    assert last_line(None) == "it did not say why."


@pytest.mark.parametrize(("length", "shown"), [(78, 80), (79, 80), (500, 80)])
def test_values_in_messages_are_cut_at_eighty_characters(length: int, shown: int) -> None:
    text = layouts._brief("x" * length)

    assert len(text) == shown
    assert text.endswith("'" if length == 78 else "…")


# calls -------------------------------------------------------------------------------------------------------------


class Strange:
    def __init__(self, x: int) -> None:
        self.x = x


def test_arguments_whose_key_may_change_are_warned_of_once() -> None:
    talk = Talk(Root(lambda root: root.w.run(Strange(1), decimal.Decimal(1)), w=Work(parallel=True)))

    said = [each for each in talk.settle() if isinstance(each, Say) and "is part of a call's arguments" in each.message]

    assert {(each.level, each.once) for each in said} == {("warning", True)}
    assert any("Strange" in each.message for each in said)


def test_once_blocked_calls_that_are_done_or_parallel_still_return() -> None:
    seen: list[Any] = []

    def run(root: Any) -> None:
        root.done.run()
        try:
            root.waits.run()
        except Blocked:
            seen.append(root.done.run())
            seen.append(root.beside.run())
            try:
                root.other.run()
            except Blocked:
                seen.append("blocked")
            raise

    talk = Talk(Root(run, done=Work(), waits=Work(), beside=Work(parallel=True), other=Work()))
    talk.settle()
    talk.arrive("done")
    talk.running("done")
    effects = talk.succeed("done", 42)
    assert seen == [42, None, "blocked"]

    warnings = [each for each in effects if isinstance(each, Say)]
    assert {(each.level, each.once) for each in warnings} == {("warning", True)}
    assert not talk.core.crew.lives["root.beside"].calls.by_key


@pytest.mark.parametrize(
    ("args", "kwargs", "shown"),
    [
        ((), {}, "()"),
        ((0.1, "a"), {"epochs": 3}, "(0.1, 'a', epochs=3)"),
        (("x" * 118,), {}, f"('{'x' * 118}')"),
        (("x" * 119,), {}, f"('{'x' * 116}…)"),
    ],
)
def test_arguments_are_shown_as_they_were_written_up_to_120_characters(args: Any, kwargs: Any, shown: str) -> None:
    assert describe_arguments(args, kwargs) == shown


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError("not now")


def test_arguments_that_cannot_be_shown_are_three_dots() -> None:
    assert describe_arguments((Unshown(),), {}) == "(…)"
