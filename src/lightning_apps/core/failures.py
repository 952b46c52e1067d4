"""Failures of works: told to people when they happen, and fatal where nobody asked again.  Does not end anything itself."""

from __future__ import annotations

from collections.abc import Callable

from ..base.messages import Effect, Say
from ..base.status import WorkStageStatus as Stage
from .arguments import describe
from .crew import Crew
from .life import Life


class Failures:
    """What becomes of the failures that the crew has noted."""

    def __init__(self, crew: Crew, emit: Callable[[Effect], None]) -> None:
        self._crew, self._emit = crew, emit

    @property
    def count(self) -> int:
        """How many nobody has looked at yet, for `tell`."""
        return len(self._crew.failed)

    def tell(self, known: int) -> None:
        """Say those that came after the first `known`."""
        for life, call in self._crew.failed[known:]:
            failure = call.failure if call is not None else None
            text = failure.message if failure is not None else (life.bare[-1].message if life.bare else "")
            what = f"{life.name} could not start."
            if call is not None:
                attempt = f", attempt {call.attempt}." if call.attempt else ", before it began."
                what = f"{life.name} failed: {describe(call)}{attempt}"
            self._emit(Say("error", f"{(text or '').rstrip()}\n{what}" if text else what))

    def take_fatal(self) -> Life | None:
        """The flow had its turn to see them: a work that it did not ask for again, and whose failure ends the app."""
        failed, self._crew.failed = self._crew.failed, []
        for life, call in failed:
            if call is not None and call.stage != Stage.FAILED:
                continue
            if life.work.raise_exception:
                return life
        return None
