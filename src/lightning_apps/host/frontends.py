"""Keeps the frontends that layouts show alive: started, looked after, started again, ended.  Knows nothing of what they show."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import pickle
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..base.encoding import encode
from ..base.errors import LightningError
from ..base.log import Log
from ..base.messages import Exited, Refused, Started
from ..base.settings import Settings, runtime_dir
from ..frontends.base import ShippedFrontend, missing
from ..frontends.static import StaticWebFrontend
from ..model.binding import free_port
from ..model.layout import Frontend
from ..ports import PageOrder, Placement
from ..web.behind import Behind, Doors
from .probing import Answer, Prober

KIND = "page:"  # what the places of frontends begin with
FIRST, LONGEST = 0.5, 30.0  # seconds before one is started again, twice as many after each time
LIVELY = 60.0  # seconds after which one counts as started well


class Places(msgspec.Struct, frozen=True):
    """How processes are started and ended, as an engine does it."""

    place: Callable[[Placement], None]
    stop: Callable[[str, float], None]


class Surroundings(msgspec.Struct, frozen=True):
    """What every frontend of an app is told.

    Attributes:
        root_path: the prefix of a proxy in front of the app.
        variables: of a frontend's process, by flow.
        log_files: where the output of a flow's frontend goes.
    """

    root_path: str
    variables: Callable[[str], dict[str, str]]
    log_files: Callable[[str], tuple[str, str]]
    app_file: str
    argv: tuple[str, ...]


class Child(msgspec.Struct, eq=False):
    """One frontend's process.

    Attributes:
        tries: how often it was started in vain.
    """

    flow: str
    frontend: Frontend
    values: bytes = b""
    place: str = ""
    order: PageOrder | None = None
    number: int = 0
    tries: int = 0
    since: float = 0.0
    over: bool = False


class Frontends:
    """All frontends of one host.

    Args:
        after: calls back once in some seconds, by name.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        places: Places,
        doors: Doors,
        prober: Prober,
        after: Callable[[str, float | None, Callable[[], None]], None],
        surroundings: Surroundings,
        run: str,
        generation: int,
    ) -> None:
        self._settings, self._log, self._places, self._doors, self._prober = settings, log, places, doors, prober
        self._after, self._surroundings, self._generation = after, surroundings, generation
        self._children: dict[str, Child] = {}
        self._by_place: dict[str, Child] = {}
        self._lock = threading.RLock()  # layouts come on the flow's thread, ends of processes on any
        self._seen: Mapping[str, Frontend] = {}
        self._number = 0
        self._closed = False
        digest = hashlib.blake2b(os.path.abspath(run).encode(), digest_size=8).hexdigest()
        self._sockets = os.path.join(runtime_dir(), f"lightning-{digest}.pages")

    def show(self, frontends: Mapping[str, Frontend], values: Callable[[str], Mapping[str, Any]]) -> None:
        """These are to be there from now on, by the name of their flow; on the flow's thread.

        Args:
            values: the state of a flow.
        """
        if frontends is self._seen:
            return
        self._seen = frontends
        with self._lock:
            for name in [name for name, child in self._children.items() if frontends.get(name) is not child.frontend]:
                self._end(name)
            for name, frontend in frontends.items():
                if name not in self._children:
                    self._children[name] = child = Child(name, frontend, encode(dict(values(name))))
                    self._begin(child)

    def heard(self, event: Started | Exited | Refused) -> None:
        """What became of the process at a place of ours; on any thread."""
        with self._lock:
            child = self._by_place.get(event.place)
            if child is None or isinstance(event, Started):
                return
            del self._by_place[event.place]
            if child.over or self._closed or child.place != event.place:
                return
            self._prober.drop(f"f/{child.flow}")
            said = event.reason if isinstance(event, Refused) else _how(event)
            self._ended(child, said)

    def close(self) -> None:
        """The app ends: nothing is started any more.  The engine ends what is there."""
        with self._lock:
            self._closed = True
            for name in list(self._children):
                self._after(f"page {name}", None, _nothing)
        shutil.rmtree(self._sockets, ignore_errors=True)

    # -- one of them ---------------------------------------------------------------------------------------

    def _begin(self, child: Child) -> None:
        """The first time."""
        key, frontend = f"f/{child.flow}", child.frontend
        if isinstance(frontend, StaticWebFrontend) and frontend.folder:
            self._doors.put(key, Behind(folder=frontend.folder))
        elif sentence := missing(frontend):
            self._log.once("error", f"The page of {child.flow} cannot be shown: {sentence}")
            self._doors.put(key, Behind(waits=sentence, failed=True))
        else:
            self._start(child)

    def _start(self, child: Child) -> None:
        with self._lock:
            if child.over or self._closed:
                return
            self._number += 1
            child.place, child.since = f"{KIND}{child.flow}@{self._generation}.{self._number}", time.monotonic()
            self._by_place[child.place] = child
            kind = type(child.frontend).__name__
            self._doors.put(f"f/{child.flow}", Behind(waits=f"{kind} is starting."))
            try:
                order = self._order(child)
            except LightningError as error:
                self._log.error(f"The page of {child.flow} cannot be shown: {error}")
                self._doors.put(f"f/{child.flow}", Behind(waits=str(error), failed=True))
                return
            self._places.place(order)
            place, page = child.place, child.order
            assert page is not None
            self._prober.watch(
                f"f/{child.flow}",
                page.address,
                _paths(page, child.flow),
                lambda found: self._ready(child, place, found),
            )

    def _order(self, child: Child) -> Placement:
        around, frontend = self._surroundings, child.frontend
        base = f"{around.root_path}/f/{child.flow}"
        shipped = isinstance(frontend, ShippedFrontend) and frontend.served_here
        path = self._socket(child) if shipped else ""
        child.order = PageOrder(
            base=base,
            root_path=f"{around.root_path}/f",
            path=path,
            port=0 if path else free_port(),
            values=child.values,
        )
        out, err = around.log_files(child.flow)
        return Placement(
            place=child.place,
            work=child.flow,
            address="",
            token="",
            env=around.variables(child.flow),
            start_method=self._settings.start_method,
            cwd=os.getcwd(),
            argv=around.argv,
            app_file=around.app_file,
            out=out,
            err=err,
            pickled=_pickled(frontend),
            page=msgspec.msgpack.encode(child.order),
        )

    def _socket(self, child: Child) -> str:
        """A path that is short enough, in a folder that only we may enter."""
        os.makedirs(self._sockets, mode=0o700, exist_ok=True)
        return os.path.join(self._sockets, f"{self._generation}.{self._number}")

    def _ready(self, child: Child, place: str, found: Answer) -> None:
        """On the prober's thread."""
        with self._lock:
            page = child.order
            if child.over or child.place != place or place not in self._by_place or page is None:
                return
            inside = None if found.path.startswith(page.base) else found.path.rstrip("/")
            self._doors.put(
                f"f/{child.flow}", Behind(address=page.address, inside=inside, viewers=child.frontend.viewers_may_use)
            )

    def _ended(self, child: Child, said: str) -> None:
        """Its process is gone, and nobody had asked for it."""
        if time.monotonic() - child.since > LIVELY:
            child.tries = 0
        pause = min(LONGEST, FIRST * 2**child.tries)
        child.tries += 1
        kind = type(child.frontend).__name__
        sentence = f"The {kind} of {child.flow} has ended{said}; it is started again in {pause:g} s."
        self._log.warning(sentence)
        self._doors.put(f"f/{child.flow}", Behind(waits=f"{sentence} What it said is in the log."))
        self._after(f"page {child.flow}", pause, lambda: self._start(child))

    def _end(self, name: str) -> None:
        child = self._children.pop(name)
        child.over = True
        self._doors.drop(f"f/{name}")
        self._prober.drop(f"f/{name}")
        if child.place in self._by_place:
            self._places.stop(child.place, self._settings.grace)


def _paths(page: PageOrder, flow: str) -> list[str]:
    """Where it may be found: where it was told to be, else where older frontends are."""
    return [f"{page.base}/"] if page.path else [f"{page.base}/", f"/{flow}/", "/"]


def _pickled(frontend: Frontend) -> bytes | None:
    """It without its flow, or None where it does not pickle: it is then asked for again in its process."""
    alone = copy.copy(frontend)
    alone.flow = None
    with contextlib.suppress(Exception):
        return pickle.dumps(alone, protocol=5)
    return None


def _how(event: Exited) -> str:
    if event.signal:
        return f" by signal {event.signal}"
    return f" with exit code {event.code}" if event.code is not None else ""


def _nothing() -> None:
    """What is done when there is nothing more to do."""
