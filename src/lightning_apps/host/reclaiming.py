"""When needless content is looked for: now and then while an app runs, and when runs are pruned.  Does not know what is needed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable

from ..base.errors import LightningError
from ..base.settings import Settings
from ..core.details import without_told
from ..storage.names import Names
from ..storage.reclaiming import GRACE, Freed, Reclaimer, named_in
from ..storage.store import Store
from . import first_state
from .run_folder import RunFolder

SMALL = 64 << 20  # bytes of content that nobody looks at


class Reclaiming:
    """Of one run, beside its host.

    Args:
        also: content that is needed although nothing that is kept names it.
        small, grace: as of the `Reclaimer`.

    Attributes:
        snapshot_wanted: what turns since the newest snapshot name is more than the past may have.
    """

    def __init__(
        self,
        settings: Settings,
        folder: RunFolder,
        also: Callable[[], Iterable[str]],
        small: int = SMALL,
        grace: float = GRACE,
    ) -> None:
        self._folder, self._also, self._limit = folder, also, settings.journal_values
        self._reclaimer = reclaimer(folder, self._limit, small, grace)
        self._thread: threading.Thread | None = None
        self.snapshot_wanted = False

    def begin(self) -> None:
        """Look once, on a thread of its own, unless one looks already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._look, name="lightning-reclaim", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        with contextlib.suppress(LightningError, OSError):  # another time
            freed = self._reclaimer.look({*self._also(), *begun_with(self._folder)})
            self.snapshot_wanted = freed.since > self._limit


def reclaimer(folder: RunFolder, limit: int, small: int = 0, grace: float = 0.0) -> Reclaimer:
    """What looks through a run."""
    return Reclaimer(Store(folder.objects), Names(folder.names), folder.journal, limit, small, grace, without_told)


def begun_with(folder: RunFolder) -> set[str]:
    """Content that hosts of a run began with."""
    return {name for data in first_state.kept(folder.path).values() for name in named_in(data)}


def reclaim(folder: RunFolder, limit: int) -> Freed:
    """Look through a run that is over, of which its caller is the only host."""
    return reclaimer(folder, limit).look(begun_with(folder))
