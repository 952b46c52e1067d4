"""How often a flow may run because it changes its own state, and what it is told of that.  Knows nothing of what it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.messages import Effect, Say
from ..base.traces import place_in_user_code
from .options import Options

WARN_AFTER = 100


class Pace:
    """Counts the turns that nothing but the flow itself gave reason for."""

    def __init__(self, options: Options, emit: Callable[[Effect], None]) -> None:
        self._options, self._emit = options, emit
        self._self_made = 0
        self._last = 0.0
        self._culprit = ""

    @property
    def next_at(self) -> float:
        """The wall time of the next turn of a flow that is awake; 0.0: at once."""
        over = self._self_made - self._options.pace_after
        return 0.0 if over <= 0 else self._last + self._pause(over)

    def _pause(self, over: int) -> float:
        options = self._options
        return float(min(options.pace_slowest, options.pace_fastest * 2 ** min(over / 100, 30)))

    def happened(self) -> None:
        """There is a reason from outside."""
        self._self_made = 0

    def runs(self, now: float) -> None:
        """The flow begins to run."""
        self._last = now

    def moved(self, name: str, path: tuple[Any, ...]) -> None:
        """The flow's side changed something: where is asked only when it is about to be told."""
        if self._self_made >= WARN_AFTER - 1:
            self._culprit = f"{name}.{'.'.join(map(str, path))} at {place_in_user_code()}"

    def ran(self, moved: bool) -> None:
        """The flow has run, and did something or not."""
        if not moved:
            self._self_made = 0
            return
        self._self_made += 1
        if self._self_made == WARN_AFTER + 1 and self._culprit:
            self._emit(
                Say("warning", f"The flow has run {WARN_AFTER} times in a row because it changes its own state: {self._culprit}. "
                    "Change state only when something happened, or it will be paced down to ten turns a second.", once=True)
            )  # fmt: skip
