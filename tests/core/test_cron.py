"""Cron patterns, the days on which clocks change above all."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_apps.base.errors import ScheduleError
from lightning_apps.core.cron import LocalTime, Pattern

BERLIN = ZoneInfo("Europe/Berlin")  # 2024: forward on March 31 at 02:00, back on October 27 at 03:00
ZONES = [
    timezone.utc,
    BERLIN,
    ZoneInfo("America/New_York"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Asia/Kathmandu"),
]


def at(text: str, zone: timezone | ZoneInfo = timezone.utc, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def every(pattern: str, begin: float, end: float, zone: timezone | ZoneInfo) -> list[float]:
    parsed, moment, found = Pattern(pattern), begin, []
    while (moment := parsed.after(moment, zone)) <= end:
        found.append(moment)
    return found


@pytest.mark.parametrize(
    ("pattern", "now", "due"),
    [
        ("* * * * *", "2024-05-05 10:00:30", "2024-05-05 10:01:00"),
        ("*/5 * * * *", "2024-05-05 10:05:00", "2024-05-05 10:10:00"),
        ("hourly", "2024-05-05 10:05:00", "2024-05-05 11:00:00"),
        ("@hourly", "2024-05-05 10:05:00", "2024-05-05 11:00:00"),
        ("midnight", "2024-05-05 10:05:00", "2024-05-06 00:00:00"),
        ("Daily", "2024-05-05 00:00:00", "2024-05-06 00:00:00"),
        ("weekly", "2024-05-06 00:00:00", "2024-05-12 00:00:00"),
        ("monthly", "2024-05-06 00:00:00", "2024-06-01 00:00:00"),
        ("yearly", "2024-05-06 00:00:00", "2025-01-01 00:00:00"),
        ("annually", "2024-05-06 00:00:00", "2025-01-01 00:00:00"),
        ("0 9 * * mon-fri", "2024-05-04 12:00:00", "2024-05-06 09:00:00"),
        ("0 0 29 2 *", "2024-03-01 00:00:00", "2028-02-29 00:00:00"),
        ("* * * * * */10", "2024-05-05 10:00:30", "2024-05-05 10:00:40"),
        ("* * * * * 0,30", "2024-05-05 10:00:30", "2024-05-05 10:01:00"),
        ("30 10 * * * 15-20", "2024-05-05 10:30:17", "2024-05-05 10:30:18"),
        ("30 10 * * * 15-20", "2024-05-05 10:30:20", "2024-05-06 10:30:15"),
        ("* * * * * 50/5", "2024-05-05 10:30:55", "2024-05-05 10:31:50"),
    ],
)
def test_the_next_due_time_comes_strictly_after_the_moment(pattern: str, now: str, due: str) -> None:
    assert Pattern(pattern).after(at(now), timezone.utc) == at(due)


def test_a_part_of_a_second_does_not_move_due_times() -> None:
    assert Pattern("* * * * * *").after(at("2024-05-05 10:00:30") + 0.25, timezone.utc) == at("2024-05-05 10:00:31")
    assert Pattern("* * * * *").after(at("2024-05-05 10:00:00") - 0.25, timezone.utc) == at("2024-05-05 10:00:00")


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "often",
        "* * * *",
        "60 * * * *",
        "* * * * * 60",
        "* * * * * 5-2",
        "* * * * * */0",
        "* * * * * x",
        "1 2 3 4 5 6 7",
        "a * * * *",
        "* * * * * ,",
        "* * * * * ²",
    ],
)
def test_an_invalid_pattern_is_named_in_the_sentence(pattern: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        Pattern(pattern)

    assert repr(pattern) in str(refused.value)
    assert "hourly" in str(refused.value)


def test_what_is_no_text_is_no_pattern() -> None:
    with pytest.raises(ValueError, match="5"):
        Pattern(5)  # type: ignore[arg-type]


def test_a_pattern_that_is_never_due_says_so() -> None:
    with pytest.raises(ScheduleError, match="0 0 30 2"):
        Pattern("0 0 30 2 *").after(0, timezone.utc)


def test_a_job_in_the_skipped_hour_is_due_right_after_it() -> None:
    found = every("30 2 * * *", at("2024-03-30 12:00", BERLIN), at("2024-04-01 12:00", BERLIN), BERLIN)

    assert found == [at("2024-03-31 03:00", BERLIN), at("2024-04-01 02:30", BERLIN)]


def test_a_job_at_a_fixed_time_is_due_once_in_the_repeated_hour() -> None:
    found = every("30 2 * * *", at("2024-10-26 12:00", BERLIN), at("2024-10-28 12:00", BERLIN), BERLIN)

    assert found == [at("2024-10-27 02:30", BERLIN), at("2024-10-28 02:30", BERLIN)]


def test_it_stays_once_when_asked_within_the_second_pass() -> None:
    second_pass = at("2024-10-27 02:10", BERLIN, fold=1)

    assert Pattern("30 2 * * *").after(second_pass, BERLIN) == at("2024-10-28 02:30", BERLIN)


@pytest.mark.parametrize("day", ["2024-03-31", "2024-10-27"])
def test_a_job_every_ten_minutes_follows_real_time_over_the_change(day: str) -> None:
    begin = at(f"{day} 00:00", BERLIN)
    found = every("*/10 * * * *", begin, begin + 6 * 3600, BERLIN)

    assert found == [begin + 600 * n for n in range(1, 37)]


def test_a_job_by_the_second_in_the_skipped_hour_is_due_right_after_it() -> None:
    after = Pattern("30 2 * * * 15").after(at("2024-03-30 12:00", BERLIN), BERLIN)

    assert after == at("2024-03-31 03:00:15", BERLIN)


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2023, 12, 31), datetime(2025, 1, 2)),
    minute=st.sampled_from(["*", "*/7", "13", "0,30,59"]),
    second=st.sampled_from(["0", "*/20", "5,59"]),
)
@settings(max_examples=80, deadline=None)
def test_patterns_that_name_no_hour_are_due_whenever_the_wall_clock_matches(
    zone: ZoneInfo, start: datetime, minute: str, second: str
) -> None:
    begin = float(int(start.replace(tzinfo=timezone.utc).timestamp()))
    minutes = {"*": range(60), "*/7": range(0, 60, 7), "13": [13], "0,30,59": [0, 30, 59]}[minute]
    seconds = {"0": [0], "*/20": [0, 20, 40], "5,59": [5, 59]}[second]

    found = every(f"{minute} * * * * {second}", begin, begin + 3 * 3600, zone)

    walls = ((begin + n, datetime.fromtimestamp(begin + n, zone)) for n in range(1, 3 * 3600 + 1))
    assert found == [moment for moment, wall in walls if wall.minute in minutes and wall.second in seconds]


@given(
    zone=st.sampled_from(ZONES),
    year=st.integers(2000, 2035),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    month=st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_a_daily_job_is_due_on_every_day_exactly_once(
    zone: ZoneInfo, year: int, hour: int, minute: int, month: int
) -> None:
    begin = datetime(year, month, 1, tzinfo=zone)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)

    found = every(f"{minute} {hour} * * *", begin.timestamp() - 1, end.timestamp() - 1, zone)

    days = [datetime.fromtimestamp(moment, zone).date() for moment in found]
    assert days == [begin.date() + timedelta(days=n) for n in range((end.date() - begin.date()).days)]


@given(st.floats(0, 4e9))
def test_local_time_agrees_with_the_system(moment: float) -> None:
    local = datetime.fromtimestamp(moment, LocalTime())

    assert local.replace(tzinfo=None) == datetime.fromtimestamp(moment)
    assert abs(local.timestamp() - moment) < 1e-5
