"""Workers on this machine: gives out its CPUs, memory and GPUs, and has the keeper start and end processes.

Knows nothing of works and calls.  If the keeper is gone, SIGTERM to this very process says so, as it would to anybody,
and the workers that are left are ended from here.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import msgspec

from ..base.errors import EngineError
from ..base.log import Log
from ..base.messages import EngineClosed, Event, Exited, Refused, Started, Waiting
from ..base.settings import Settings, environ
from ..ports import Observed, Placement, Report, Survey, Watch
from . import channel as talk
from . import gpus, process_tree
from .allocator import Allocator, Granted
from .channel import Channel, CloseAll, Closed, PlaceWorker, StopWorker, Surveyed
from .discovery import Discovery
from .line import Answers, Line


class LocalEngine:
    """The engine `local`.

    Args:
        channel: the host's end of its channel to the keeper.
        settings: which GPUs may be given out.
        log: where a wish that cannot be met is told.
        allocator: what this machine has; by default all of it.
    """

    name = "local"
    promises = frozenset({"isolation", "signals", "devices"})

    def __init__(self, channel: Channel, settings: Settings, log: Log, allocator: Allocator | None = None) -> None:
        self._channel, self._log = channel, log
        self._allocator = allocator or this_machine(settings)
        self._line = Line(self._allocator)
        self._orders: dict[str, Placement] = {}
        self._orphans: dict[str, int] = {}  # workers that no keeper watches
        self._waiting: dict[str, Placement] = {}
        self._observed: dict[str, Observed] = {}
        self._pids: dict[str, int] = {}
        self._report: Report = _nobody
        self._watch: Watch | None = None
        self._discovery: Discovery | None = None
        self._undecided: list[str] = []  # who waits for it
        self._alone = self._closed = False
        self._grace: float | None = None  # once the end was asked for

    def open(self, report: Report, watch: Watch) -> None:
        """Begin to report."""
        self._report, self._watch = report, watch
        watch.watch(self._channel.fileno(), self._hear)

    def survey(self) -> Survey:
        """Ask the keeper, which has seen all of them start and end."""
        self._tell(talk.Survey())
        while not self._channel.closed:
            for message in self._channel.receive():
                if isinstance(message, Surveyed):
                    return self._take_over(message)
                self._take(message)
        return Survey()

    def _take_over(self, message: Surveyed) -> Survey:
        for order, pid in message.living:
            self._orders[order.place], self._observed[order.place] = order, Observed("running")
            self._pids[order.place] = pid
            given = order.env.get("CUDA_VISIBLE_DEVICES", "")
            self._line.adopt(order, tuple(filter(None, given.split(","))))
        return Survey({order.place: pid for order, pid in message.living}, message.ended)

    def adopt(self, place: str, pid: int, began: str) -> bool:
        """Take over a worker that has outlived both its host and its keeper; False if it is no more."""
        process = process_tree.look(pid)
        handle = process_tree.open_pidfd(pid)
        watch = self._watch
        if process is None or process.started != began or process.zombie or handle is None or watch is None:
            return False
        self._orphans[place] = pid
        self._observed[place] = Observed("running")

        def ended() -> None:
            if self._orphans.pop(place, None) is not None:
                watch.forget(handle)
                os.close(handle)
                self._observed[place] = Observed("exited")
                self._report(Exited(place))

        watch.watch(handle, ended)
        return True

    def progressed(self) -> None:
        """The host has recorded a turn."""
        self._tell(talk.Progressed())

    def place(self, order: Placement) -> None:
        """Start a worker as soon as there is room for it; a second time for the same place changes nothing."""
        if order.place not in self._orders:
            self._orders[order.place] = order
            self._observed[order.place] = Observed("pending")
            self._ask(order)

    def _ask(self, order: Placement) -> None:
        if (order.devices or order.wish_devices) and self._finds_out(order):
            return
        self._act(self._line.ask(order))

    def _act(self, answers: Answers) -> None:
        for order, answer in answers:
            self._waiting.pop(order.place, None)
            if isinstance(answer, Granted):
                self._send_off(order, answer)
            elif isinstance(answer, Waiting):
                self._waiting[order.place] = order
                self._report(answer)
            else:
                self._over(answer)

    def _finds_out(self, order: Placement) -> bool:
        """Whether it is not known yet which GPUs there are; the order is asked for again when it is."""
        if self._allocator.knows_gpus or self._watch is None:
            return False
        self._waiting[order.place] = order
        self._undecided.append(order.place)
        self._report(Waiting(order.place, f"{order.work} waits for nvidia-smi to say which GPUs there are"))
        if self._discovery is None:
            self._discovery = Discovery(lambda: self._allocator.gpus, self._watch, self._found_out)
        return True

    def _found_out(self) -> None:
        undecided, self._undecided = self._undecided, []
        self._watch = (
            self._watch if self._allocator.knows_gpus else None
        )  # the thread has failed: ask here, and see why
        for place in undecided:
            if place in self._waiting:
                self._ask(self._waiting[place])

    def _send_off(self, order: Placement, granted: Granted) -> None:
        if granted.warning:
            self._log.once("warning", granted.warning)
        users = environ()
        given = {k: v for k, v in granted.env.items() if k != "OMP_NUM_THREADS" or k not in users}
        order = msgspec.structs.replace(order, env={**given, **order.env})
        self._tell(PlaceWorker(order))

    def stop(self, place: str, grace: float) -> None:
        """SIGTERM, SIGKILL after `grace` seconds; leads to Exited when it and all it started are gone."""
        if place in self._orphans:
            pids = {self._orphans[place]: place}
            threading.Thread(target=process_tree.end_processes, args=(pids, grace), daemon=True).start()
        elif place in self._waiting:
            self._over(Exited(place, lost=False))
        elif place in self._orders:
            self._tell(StopWorker(place, grace))

    def follow(self, order: Placement) -> None:
        """Show what comes into the output files of a worker that is elsewhere."""
        self._tell(talk.Follow(order.work, order.out, order.err))

    def unfollow(self, order: Placement) -> None:
        """It has ended."""
        self._tell(talk.Unfollow(order.out, order.err))

    def observe(self, place: str) -> Observed:
        """What is known of a place now."""
        return self._observed.get(place, Observed("unknown"))

    def abandon(self, place: str) -> None:
        """Every end on this machine is seen, so there is nothing that a person knows better."""

    def reach(self, place: str, address: str, told: Callable[[str], None]) -> None:
        """It is this machine."""
        told(address)

    def close(self, grace: float) -> None:
        """Begin to end every worker; `closed` says when nothing is left of them and their output is written."""
        self._grace = grace
        for place in list(self._waiting):
            self._over(Exited(place))
        if self._orphans:
            process_tree.end_processes({pid: place for place, pid in self._orphans.items()}, grace)
        if self._alone:
            self._end_alone(grace)
        else:
            self._tell(CloseAll(grace))

    @property
    def closed(self) -> bool:
        """Whether everything has ended."""
        return self._closed

    def let_go(self) -> None:
        """The keeper's channel belongs to whoever made it."""

    # -- what the keeper says ------------------------------------------------------------------------------

    def _hear(self) -> None:
        if self._alone:
            return
        for message in self._channel.receive():
            self._take(message)
        if self._channel.closed and not self._closed:
            self._alone = True
            if self._watch is not None:
                self._watch.forget(self._channel.fileno())
            if self._grace is not None:
                self._end_alone(self._grace)
            else:
                os.kill(os.getpid(), signal.SIGTERM)

    def _take(self, message: object) -> None:
        if isinstance(message, Started):
            process = process_tree.look(message.pid)
            message = Started(message.place, message.pid, process.started if process is not None else "")
            self._pids[message.place] = message.pid
            self._observed[message.place] = Observed("running")
            self._report(message)
        elif isinstance(message, (Exited, Refused)):
            self._over(message)
        elif isinstance(message, Closed):
            self._has_closed()

    def _has_closed(self) -> None:
        self._closed = True
        if self._discovery is not None:
            self._discovery.close()
        self._report(EngineClosed())

    def _over(self, event: Exited | Refused) -> None:
        if self._orders.pop(event.place, None) is None:
            return
        self._waiting.pop(event.place, None)
        self._pids.pop(event.place, None)
        code, number = (event.code, event.signal) if isinstance(event, Exited) else (None, None)
        self._observed[event.place] = Observed("exited", code, number)
        self._report(event)
        self._act(self._line.release(event.place))

    # -- without a keeper ----------------------------------------------------------------------------------

    def _tell(self, message: talk.ToKeeper) -> None:
        if not self._alone:
            try:
                self._channel.send(message)
                return
            except OSError:
                """It is gone; the end of its stream will be read and acted on."""
        if isinstance(message, PlaceWorker):
            self._over(Refused(message.order.place, f"{message.order.work} cannot be started: the keeper is gone."))
        elif isinstance(message, StopWorker) and message.place in self._pids:
            process_tree.send_signal(self._pids[message.place], signal.SIGTERM)

    def _end_alone(self, grace: float) -> None:
        marks = {pid: process_tree.mark_of(place, self._orders[place].address) for place, pid in self._pids.items()}
        process_tree.end_processes(marks, grace)
        for place in list(self._orders):
            self._over(Exited(place))
        self._has_closed()


def this_machine(settings: Settings) -> Allocator:
    """What this machine has to give."""
    visible = environ().get("CUDA_VISIBLE_DEVICES")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if settings.gpus is None and visible is None:
        return Allocator(cpus_here(), memory, lambda: gpus.discover(None, None))
    return Allocator(cpus_here(), memory, gpus.discover(settings.gpus, visible))


def cpus_here() -> int:
    """The CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _nobody(event: Event) -> None:
    raise EngineError(f"The engine has {event} to report before it was opened.")
