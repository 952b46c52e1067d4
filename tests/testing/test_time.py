"""Time in the hands of a test: schedules, ticks, clocks that are put forward."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import lightning as L
import pytest
from lightning.testing import AppTest

from lightning_apps.base.errors import AppNeverRests
from lightning_apps.testing.clock import VirtualClock
from testing.apps import Nightly


def test_a_schedule_fires_when_its_time_has_come_and_not_before() -> None:
    app = AppTest(Nightly, start=datetime(2026, 3, 1, 12, 0)).settle()
    assert app.root.nights == 1  # the first time at once

    app.advance(hours=14, minutes=59)
    assert app.root.nights == 1
    app.advance(minutes=1)

    assert app.root.nights == 2 and app.now == datetime(2026, 3, 2, 3, 0, tzinfo=timezone.utc)


def test_a_week_has_seven_nights() -> None:
    app = AppTest(Nightly, inline=True, start=datetime(2026, 3, 1, 12, 0)).settle()

    app.advance(days=7)

    assert app.root.nights == 8 and len(app.calls) == 8


def test_time_goes_on_until_a_moment() -> None:
    app = AppTest(Nightly, start=datetime(2026, 3, 1, 12, 0)).settle()

    app.advance(until=datetime(2026, 3, 4))

    assert app.root.nights == 3 and app.now == datetime(2026, 3, 4, tzinfo=timezone.utc)


def test_a_schedule_follows_the_zone_through_the_night_in_which_clocks_are_put_forward() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    app = AppTest(Nightly, start=datetime(2026, 3, 28, 12, 0), zone=berlin).settle()

    app.advance(until=datetime(2026, 3, 29, 1, 59))
    assert app.root.nights == 1
    app.advance(until=datetime(2026, 3, 29, 3, 0))

    assert app.root.nights == 2 and app.now.utcoffset() == timedelta(hours=2)


def test_an_app_with_a_tick_is_woken_on_every_one() -> None:
    class Polling(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self._polls = 0

        def run(self) -> None:
            self._polls += 1

    app = AppTest(L.LightningApp(Polling(), tick=5.0)).settle()

    app.advance(minutes=1)

    assert app.root._polls == 13


def test_time_stops_at_every_timer_on_its_way() -> None:
    class Watching(Nightly):
        def run(self) -> None:
            super().run()
            if len(self.times) < self.nights:
                self.times.append(self.nights)
                self._moments.append(app.now)

    root = Watching()
    root._moments: Any = []
    app = AppTest(root, start=datetime(2026, 3, 1, 12, 0))

    app.advance(days=2)

    assert [(each.day, each.hour) for each in root._moments] == [(1, 12), (2, 3), (3, 3)]


def test_finish_passes_the_time_that_an_app_needs() -> None:
    class ThreeNights(Nightly):
        def run(self) -> None:
            super().run()
            if self.nights == 3:
                self.stop()

    app = AppTest(ThreeNights, inline=True, start=datetime(2026, 3, 1, 12, 0))

    assert app.finish() == 0
    assert app.now == datetime(2026, 3, 3, 3, 0, tzinfo=timezone.utc)


def test_an_app_that_never_ends_is_given_up() -> None:
    class Forever(L.LightningFlow):
        def run(self) -> None:
            self.schedule("* * * * *")

    with pytest.raises(AppNeverRests, match=r"has not ended by 2026-01-\d\d .* after 10000 timers"):
        AppTest(Forever).finish()


def test_a_flow_that_never_rests_is_paced_by_the_time_that_passes() -> None:
    class Counting(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.n = 0

        def run(self) -> None:
            self.n += 1

    app = AppTest(Counting)

    app.advance(minutes=1)

    assert 1000 < app.root.n < 3000 and app.now.minute == 1


def test_time_never_goes_backwards() -> None:
    clock = VirtualClock(100.0)

    clock.advance(5.0)
    clock.reach(50.0)

    assert (clock.wall(), clock.monotonic()) == (105.0, 5.0)
    with pytest.raises(ValueError, match="Time does not go backwards"):
        clock.advance(-1.0)


def test_an_idle_work_is_ended_when_its_time_is_over() -> None:
    class Once(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = Idler(parallel=True, cloud_compute=L.CloudCompute(idle_timeout=60))

        def run(self) -> None:
            self.w.run()

    app = AppTest(Once, inline=True).settle()

    app.advance(seconds=61)

    assert app.output == "goodbye\n" and app.works["w"].stage == "succeeded"


class Idler(L.LightningWork):
    def run(self) -> None:
        """Nothing."""

    def on_exit(self) -> None:
        print("goodbye")
