"""An alarm is never slept through, whenever it is set."""

from __future__ import annotations

import time
from collections.abc import Callable, ValuesView
from typing import Any

from lightning_apps.wire.pump import Pump


class Interleaved(dict[str, Any]):
    """The alarms of a pump; right after they were looked at, as another thread would, something is done."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self._then: Callable[[], None] | None = then

    def values(self) -> ValuesView[Any]:
        seen = dict(self).values()
        then, self._then = self._then, None
        if then is not None:
            then()
        return seen


def test_an_alarm_that_is_set_while_the_pump_goes_to_sleep_rings() -> None:
    pump = Pump()
    pump._alarms = Interleaved(lambda: pump.alarm("late", 0.01, lambda: pump.put("rung")))
    began = time.monotonic()

    assert pump.take(20.0) == ["rung"]
    assert time.monotonic() - began < 5.0
    pump.close()
