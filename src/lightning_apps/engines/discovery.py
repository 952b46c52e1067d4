"""Asks a question that may take seconds on a thread of its own, and says on the watching thread that it is answered.

Knows neither question nor answer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ..ports import Watch


class Discovery:
    """One question.

    Args:
        ask: takes its time; what it finds, it keeps itself.
        watch: waits for the end of it.
        then: called once, where `watch` calls back.
    """

    def __init__(self, ask: Callable[[], object], watch: Watch, then: Callable[[], None]) -> None:
        self._ask, self._watch, self._then = ask, watch, then
        self._open = True
        self._answered, self._asking = os.pipe()
        watch.watch(self._answered, self._heard)
        threading.Thread(target=self._run, name="lightning-discovery", daemon=True).start()

    def _run(self) -> None:
        try:
            self._ask()
        finally:
            os.close(self._asking)

    def _heard(self) -> None:
        if self._open:
            self.close()
            self._then()

    def close(self) -> None:
        """Nobody wants to know any more."""
        if self._open:
            self._open = False
            self._watch.forget(self._answered)
            os.close(self._answered)
