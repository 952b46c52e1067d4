"""What a host shows beside its own pages: frontends, and the servers of works, each behind its door.  Joins; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..base import messages as m
from ..base.log import Log
from ..base.messages import Event
from ..base.settings import Settings
from ..model.component import Component
from ..model.layout import Frontend
from ..ports import Engine
from ..web.behind import Doors
from .answering import Answering
from .frontends import KIND, Frontends, Places, Surroundings
from .own_places import OwnPlaces
from .probing import Prober
from .run_folder import RunFolder

__all__ = ["Showing", "Surroundings"]

KEEPS = "isolation"  # the promise of engines that have a keeper on this machine


class Showing:
    """One for a host.

    Args:
        put: gives an event to the flow's thread.
        after: calls back once in some seconds, by name.
    """

    def __init__(
        self,
        settings: Settings,
        folder: RunFolder,
        log: Log,
        engine: Engine,
        tree: Mapping[str, Component],
        put: Callable[[Event], None],
        after: Callable[[str, float | None, Callable[[], None]], None],
        surroundings: Surroundings,
        generation: int,
    ) -> None:
        self.doors = Doors()
        self._prober, self._engine, self._tree, self._grace = Prober(), engine, tree, settings.grace
        self._own = None if KEEPS in engine.promises else OwnPlaces(self.heard)
        places = Places(engine.place, engine.stop) if self._own is None else Places(self._own.place, self._own.stop)
        self._answering = Answering(self._prober, self.doors, tree, put, engine.reach)
        self._frontends = Frontends(
            settings, log, places, self.doors, self._prober, after, surroundings, folder.path, generation
        )

    def concerns(self, event: Event) -> bool:
        """Whether this is about a frontend's process."""
        return isinstance(event, (m.Started, m.Exited, m.Refused, m.Waiting)) and event.place.startswith(KIND)

    def heard(self, event: Event) -> None:
        """Something that concerns us; on any thread."""
        if isinstance(event, (m.Started, m.Exited, m.Refused)):
            self._frontends.heard(event)

    def leave_over(self, places: Iterable[str]) -> None:
        """What an earlier host of this run has left: its frontends end, ours take their place."""
        for place in places:
            if place.startswith(KIND):
                self._engine.stop(place, 0.0)

    def turned(self, events: Iterable[Event]) -> None:
        """A turn is over; on the flow's thread."""
        for event in events:
            self._answering.heard(event)

    def show(self, frontends: Mapping[str, Frontend]) -> None:
        """These are shown from now on."""
        self._frontends.show(frontends, self._values)

    def _values(self, flow: str) -> Mapping[str, Any]:
        return self._tree[flow]._lit_values()

    def stop(self) -> None:
        """The app begins to end."""
        self._frontends.close()
        if self._own is not None:
            self._own.close(self._grace)

    def close(self) -> None:
        """Everything has ended."""
        self._prober.close()
