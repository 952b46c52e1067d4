"""What the flow's side does, all or nothing.  Knows nothing of who does it, or what for."""

from __future__ import annotations

from .ledger import Ledger, Mark
from .timers import Schedules
from .undo import Undo
from .watched import Watched


class Trial:
    """Everything between `begin` and the next `begin` or `stands` can be taken back."""

    def __init__(self, ledger: Ledger, undo: Undo, watched: Watched, schedules: Schedules) -> None:
        self._ledger, self._undo, self._watched, self._schedules = ledger, undo, watched, schedules

    def stands(self) -> None:
        """What was done so far stands; what was replaced is let go of."""
        self._undo.begin()
        if settled := self._schedules.settle():
            self._ledger.record.timers.update({key: due for key, due in settled.items() if due is not None})

    def begin(self) -> Mark:
        """From here on all or nothing; returns how far record and effects were."""
        self.stands()
        return self._ledger.mark()

    def take_back(self, mark: Mark) -> None:
        """What the flow's side did since `mark` did not happen."""
        self._watched.take_back_untold()
        self._undo.take_back()
        self._watched.take_back()
        self._schedules.undo()
        self._ledger.back_to(mark)
