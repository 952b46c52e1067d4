"""The shapes of the outside, on one page: what the host needs from engines, links, journals and clocks.  No behaviour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from .base.messages import Edit, Event, Exited, Record
from .model.gang import Gang

Report = Callable[[Event], None]


class Watch(Protocol):
    """Waits on file descriptors."""

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call `callback` whenever `descriptor` can be read."""

    def forget(self, descriptor: int) -> None:
        """Wait for it no longer."""


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """An order to place one worker; a worker is identified by `place`, never by its work's name.

    Attributes:
        place: "root.train@3": the work's name and the number of the placement, which only grows.
        work: the work's name in the tree.
        address: where the hub listens: "unix:/path" or "tcp:host:port".
        token: admits one link of this place.
        env: variables of this worker beyond the app's own.
        start_method: "zygote" (forked from the process that executed the app file) or "spawn".
        cwd, argv, app_file: the app's surroundings; `app_file` is "" for an app without a file.
        out, err: files the worker's output goes to; "" for the terminal.
        files: the folder of what works of this run hand over, as it is called where the worker runs; "" without one.
        exchange, exchange_token: where ("host:port", between machines with "#fingerprint"), and by what right, a worker that does not
            see the run's folder asks for what others handed over; "" for one that does.
        storage: the URL of a store that content goes to and comes from as well; "" for none.
        reference_above: bytes of an array or table above which it lies in `files` and travels by reference.
        pickled: the component, where it could be pickled; else it is taken by name from the tree the app file built.
        cpus, memory (bytes), devices: what it asks for by number; None: nothing.
        wish_devices: GPUs it would like (an older name such as "gpu"); it runs without them too.
        orphan_limit: seconds it lives on when host and keeper are gone.
        patience: seconds it may be cut off before it ends itself and may be replaced; None: it is not replaced.
        compute: what its CloudCompute is called.
        gang: with whom it starts together, or not at all.
        again: its call has begun before, so it is not waited for the others of a gang that has ended.
        near: works with the same text here are on one machine; "": anywhere.
        resources: custom resources of a cluster, by name.
        requirements: packages it needs, where they can be installed.
        page: an encoded PageOrder where this is a frontend, `work` the name of its flow and `pickled` the frontend; else empty.
    """

    place: str
    work: str
    address: str
    token: str
    env: dict[str, str] = {}
    start_method: str = "zygote"
    cwd: str = ""
    argv: tuple[str, ...] = ()
    app_file: str = ""
    out: str = ""
    err: str = ""
    files: str = ""
    exchange: str = ""
    storage: str = ""
    exchange_token: bytes = b""
    reference_above: int = 64 << 10
    pickled: bytes | None = None
    cpus: float | None = None
    memory: int | None = None
    devices: float | None = None
    wish_devices: int = 0
    orphan_limit: float = 30.0
    patience: float | None = None
    compute: str = ""
    resources: dict[str, float] = {}
    gang: Gang | None = None
    again: bool = False
    near: str = ""
    requirements: tuple[str, ...] = ()
    page: bytes = b""


class PageOrder(msgspec.Struct, frozen=True, kw_only=True):
    """How a frontend is to be served.

    Attributes:
        base: the path before all of its paths, such as "/f/root.page".
        root_path: the part of it that comes before the flow's name.
        path: of a Unix socket; "": on `host` and `port`.
        values: the state of its flow, encoded.
    """

    base: str
    root_path: str
    path: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    values: bytes = b""

    @property
    def address(self) -> str:
        """As "unix:/path" or "host:port"."""
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"


class Observed(msgspec.Struct, frozen=True):
    """What an engine knows of a place: "pending", "running", "exited", "lost" or "unknown" (which is not dead)."""

    state: str
    code: int | None = None
    signal: int | None = None


class Survey(msgspec.Struct, frozen=True):
    """What an engine knows of the places of an earlier host of this run: those that live, and those that have ended since."""

    living: dict[str, int] = {}
    ended: tuple[Exited, ...] = ()


class Engine(Protocol):
    """Starts, observes and ends processes; nothing else.  Everything it learns it reports as an event."""

    name: str
    promises: frozenset[str]  # of "isolation", "signals", "devices"

    def open(self, report: Report, watch: Watch) -> None:
        """Begin; `report` may be called from any thread."""

    def survey(self) -> Survey:
        """For a host that takes over: what became of the places of the one before it."""

    def adopt(self, place: str, pid: int, began: str) -> bool:
        """Take over a worker that outlived all who knew it; False if it is no more."""

    def progressed(self) -> None:
        """The host has recorded a turn; for whoever starts it again when it dies."""

    def place(self, order: Placement) -> None:
        """Returns at once; idempotent on `order.place`.  Leads to Started, Waiting or Refused."""

    def stop(self, place: str, grace: float) -> None:
        """Returns at once; leads to Exited when process and descendants are gone."""

    def observe(self, place: str) -> Observed:
        """What is known of a place now."""

    def abandon(self, place: str) -> None:
        """A person says that it is no more, which the engine could not know; leads to Exited.  From any thread."""

    def reach(self, place: str, address: str, told: Callable[[str], None]) -> None:
        """Call `told` with where this machine reaches "host:port" of the worker's: at once, or later from any thread."""

    def close(self, grace: float) -> None:
        """Begin to end every place; returns at once.  A second time with a shorter grace hurries."""

    @property
    def closed(self) -> bool:
        """Whether nothing is left, or nothing that has to be waited for."""

    def let_go(self) -> None:
        """The host ends: close what is open in its process, and touch no worker."""


class Journal(Protocol):
    """Where records go before their effects happen."""

    def append(self, record: Record, later: bool = False) -> None:
        """Keep one turn's record; returns when it is kept, or with `later` at once: it is kept with the next, or by `flush`."""

    def flush(self) -> None:
        """Keep what was put off."""

    def close(self) -> None: ...


class Clock(Protocol):
    """Where time comes from."""

    def wall(self) -> float:
        """Seconds since the epoch; may jump."""

    def monotonic(self) -> float:
        """Seconds that only grow."""


class Desk(Protocol):
    """Where the web asks for something that only the flow's thread may do.  Methods are called on the web's event loop."""

    async def ask(
        self,
        component: str,
        method: str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        timeout: float | None = 30.0,
    ) -> Any:
        """What the method of a component returned, in a turn of its own that is recorded before this returns; a plain copy.

        Args:
            timeout: seconds; None waits for as long as the app runs.

        Raises:
            Unanswered: it took longer, or the app ended before.
            Exception: whatever the method raised; the turn is undone then.
        """

    async def edit(self, edits: Sequence[Edit], seen: int | None = None, stage: str = "") -> int:
        """Make these changes, all or none; the turn in which they were made, which is recorded before this returns.

        Args:
            seen: the turn whose state the edits go by; None: whatever is there.
            stage: "running" lets a flow that is held back begin.

        Raises:
            CannotEdit: one of them does not fit the state.
            OutOfDate: a component concerned has changed since `seen`, or a test failed.
            Unanswered: it took too long, or the app ended before.
        """
