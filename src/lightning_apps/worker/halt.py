"""Whether the call under way is to end, and on which thread that shows.  Knows nothing of calls."""

from __future__ import annotations

import threading

from ..base.errors import WorkStopped
from ..model.work import LightningWork


class Halt:
    """Raised at the next read or write of state.

    Attributes:
        stopping: the call is to end.
        exiting: `on_exit` runs, or has run: it may read and write.
    """

    def __init__(self, work: LightningWork) -> None:
        self._work = work
        self._thread = threading.get_ident()
        self.stopping = self.exiting = False

    def runs_here(self) -> None:
        """This thread runs what users wrote."""
        self._thread = threading.get_ident()

    def check(self) -> None:
        """Raise on any thread of a work that was stopped."""
        if self.stopping and not self.exiting:
            raise WorkStopped(f"{self._work._lit_name} was stopped.")

    def check_here(self) -> None:
        """Raise on the thread that runs what users wrote."""
        if self.stopping and not self.exiting and threading.get_ident() == self._thread:
            raise WorkStopped(f"{self._work._lit_name} was stopped.")
