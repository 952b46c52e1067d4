"""Finds out where the servers of works answer: their `url`, and the door to them.  Starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..base import messages as m
from ..base.messages import Event
from ..base.status import WorkStageStatus as Stage
from ..model.component import Component
from ..model.work import LightningWork
from ..web.behind import Behind, Doors
from .probing import Answer, Prober

Reach = Callable[[str, str, Callable[[str], None]], None]
ANYWHERE = ("", "0.0.0.0", "::")


class Answering:
    """Looks at what works say; on the flow's thread.

    Args:
        tree: the components by name.
        put: gives an event to the flow's thread; called on the prober's.
        reach: finds out where this machine reaches an address of the machine of a place; see `Engine.reach`.
    """

    def __init__(
        self, prober: Prober, doors: Doors, tree: Mapping[str, Component], put: Callable[[Event], None], reach: Reach
    ) -> None:
        self._prober, self._doors, self._tree, self._put, self._reach = prober, doors, tree, put, reach
        self._known: dict[str, tuple[str, str]] = {}  # work → place and address that is, or was, asked

    def heard(self, event: Event) -> None:
        """Something happened to a work: it may serve now, or no more."""
        kind = type(event)
        if kind is m.Said:
            message = event.message  # type: ignore[union-attr]
            if type(message) is m.Moved:
                if message.stage == Stage.RUNNING:
                    self._look(event.place)  # type: ignore[union-attr]
            elif type(message) is m.Changed and any(change.path[0] == "_port" for change in message.changes):
                self._look(event.place)  # type: ignore[union-attr]
        elif kind is m.Attached:
            self._look(event.place)  # type: ignore[union-attr]
        elif kind is m.Exited:
            self._gone(event.place)  # type: ignore[union-attr]

    def _look(self, place: str) -> None:
        name = place.rpartition("@")[0]
        work = self._tree.get(name)
        if not isinstance(work, LightningWork) or work._port is None:
            return
        host = work._host
        if host in ANYWHERE:
            host = work._internal_ip or "127.0.0.1"
        address = f"[{host}]:{work._port}" if ":" in host else f"{host}:{work._port}"
        if self._known.get(name) == (place, address):
            return
        self._known[name] = place, address
        self._doors.put(f"w/{name}", Behind(waits=f"The server of {name} does not answer yet."))

        def watch(reached: str) -> None:
            if self._known.get(name) == (place, address):
                self._prober.watch(f"w/{name}", reached, ["/"], lambda answer: self._answers(name, reached, answer))

        self._reach(place, address, watch)

    def _answers(self, name: str, address: str, answer: Answer) -> None:
        """On the prober's thread."""
        if answer.status:
            self._doors.put(f"w/{name}", Behind(address=address, inside=""))
            self._put(m.Asked(f"url {name}", name, "_lit_answers", (f"http://{address}",)))
        else:
            self._doors.drop(f"w/{name}")  # a server, but not one for browsers

    def _gone(self, place: str) -> None:
        name = place.rpartition("@")[0]
        if self._known.get(name, ("", ""))[0] == place:
            del self._known[name]
            self._prober.drop(f"w/{name}")
            self._doors.drop(f"w/{name}")
