"""The process that executed the app file once and forks host and workers from it.  Knows nothing of their lives."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import NoReturn

import msgspec

from ..base.errors import UsageError
from ..base.messages import Refused
from ..engines import process_tree
from ..engines.channel import Channel, Failed, Forked, ForkHost, ForkWorker, HostStarted, Loaded, Reaped
from ..model.app import LightningApp
from ..model.component import Component
from ..ports import Placement
from ..worker.lookup import find_placed
from ..worker.surroundings import detach, leave, reset_signals, settle, unblock_signals
from . import signals
from .loop import Loop
from .spare import Spare, await_order

CALM = 0.05  # seconds without an order after which a spare is forked: many orders at once are not held up by it
ALL_SIGNALS = signal.valid_signals()
OPENMP = re.compile(r"/lib(gomp|iomp5?|omp)[.-][^/]*$")


class Bodies(msgspec.Struct, frozen=True):
    """What the processes of an app do, handed in so that tests run others.

    Attributes:
        load: gives the app; its argument says whether what the file prints goes to the log only.
        host: runs the app, given the host's end of the channel to the keeper; returns the exit code.
        worker: runs a worker, or serves a frontend.
        rehearse: what a process that is forked ahead does, so that its pages are in memory when it becomes a worker.
        entry: what a fresh interpreter is given to be a worker.
    """

    load: Callable[[bool], LightningApp]
    host: Callable[[LightningApp, Channel], int]
    worker: Callable[[Placement, Component | None], NoReturn]
    rehearse: Callable[[], None] = lambda: None
    entry: tuple[str, ...] = ("-m", "lightning_apps.worker.spawned")


def fork(body: Callable[[], int]) -> int:
    """Fork a child that runs `body` with all signals blocked until it unblocks them, and ends; returns its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    former = signal.pthread_sigmask(signal.SIG_BLOCK, ALL_SIGNALS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # BLAS threads exist, and survive a fork
            pid = os.fork()
        if pid == 0:
            leave(body)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def safe_to_fork() -> bool:
    """Whether neither threads nor a GPU's driver would be torn in two by a fork."""
    torn = threading.active_count() > 1 or any(map(_is_gpu, _open_files()))
    return not torn and not (_has_openmp() and _threads_that_stay())


def _has_openmp() -> bool:
    """Whether a library is here whose threads a child waits for in vain: torch works with them, once it has had much to do."""
    try:
        with open("/proc/self/maps") as file:
            return any(OPENMP.search(line) for line in file)
    except OSError:
        return False


def _threads_that_stay() -> bool:
    """Whether there are threads that do not end by themselves before a fork, as those of BLAS do."""
    if len(os.listdir("/proc/self/task")) == 1:
        return False
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return len(os.listdir("/proc/self/task")) > 1


def _open_files() -> list[str]:
    try:
        return [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    except OSError:
        return []


def _is_gpu(link: str) -> bool:
    try:
        return os.readlink(link).startswith("/dev/nvidia")
    except OSError:
        return False


def main(bodies: Bodies, channel: Channel, *, may_fork: bool, quiet: bool) -> int:
    """Be the zygote, in a child that was just forked; returns when the keeper is gone or this has become the host."""
    reset_signals()
    signals.listen_to_keeper()
    try:
        app = bodies.load(quiet)
    except UsageError as error:
        channel.send(Failed(str(error), error.exit_code))
        return error.exit_code
    forks = may_fork and safe_to_fork()
    signal.signal(signals.INTERRUPT, signal.SIG_DFL)
    channel.send(Loaded(forks))
    return Zygote(bodies, app, channel).serve() if forks else _become_host(bodies, app, channel)


def _become_host(bodies: Bodies, app: LightningApp, channel: Channel) -> int:
    while not channel.closed:
        for message in channel.receive():
            if isinstance(message, ForkHost):
                signals.listen_to_keeper()
                channel.send(HostStarted(os.getpid()))
                end = Channel.adopt(channel.descriptors.pop())
                channel.close()
                return bodies.host(app, end)
    return 0


class Zygote:
    """Forks on request, one worker ahead, reaps, reports."""

    def __init__(self, bodies: Bodies, app: LightningApp, channel: Channel) -> None:
        self._bodies, self._app, self._channel = bodies, app, channel
        self._spare: Spare | None = None
        self._ordered = 0  # how many workers were asked for
        self._loop = Loop()
        self._loop.listen([signal.SIGCHLD])
        self._loop.read(channel.fileno(), self._obey)

    def serve(self) -> int:
        """Until the keeper closes its end."""
        gc.freeze()  # without a collection, which would take longer than a fork and find little after a load
        self._prepare_spare()
        while not self._channel.closed:
            self._loop.step([self._channel.fileno()] if self._channel.waiting else ())
            if self._loop.arrived:
                self._loop.arrived.clear()
                self._reap()
        os._exit(0)  # the atexit handlers of the app's file belong to the host

    def _obey(self) -> None:
        for message in self._channel.receive():
            if isinstance(message, ForkWorker):
                self._start_worker(message.order)
            elif isinstance(message, ForkHost):
                self._fork_host(self._channel.descriptors.pop())

    def _start_worker(self, order: Placement) -> None:
        self._ordered += 1
        try:
            pid = self._spare_for(order) or fork(lambda: self._be_worker(order))
        except OSError as error:
            self._channel.tell(Refused(order.place, f"{order.work} cannot be started: {error.strerror}."))
        else:
            self._channel.tell(Forked(order.place, pid))

    def _be_worker(self, order: Placement) -> int:
        self._leave_child()
        detach()
        return self._work(order)

    def _work(self, order: Placement) -> NoReturn:
        settle(order)
        unblock_signals()
        self._bodies.worker(order, find_placed(self._app, order))

    # -- one ahead -----------------------------------------------------------------------------------------

    def _prepare_spare(self, wait: float = CALM) -> None:
        """Fork one as soon as nobody has asked for a worker for a while."""
        ordered = self._ordered

        def due() -> None:
            if self._spare is None and ordered == self._ordered:
                self._fork_spare()

        self._loop.after(wait, due)

    def _fork_spare(self) -> None:
        ours, theirs = Channel.pair()

        def body() -> int:
            ours.close()
            self._leave_child()
            detach()
            self._bodies.rehearse()
            order = await_order(theirs)
            return os._exit(0) if order is None else self._work(order)

        try:
            self._spare = Spare(fork(body), ours)
            self._loop.read(ours.fileno(), self._hear_spare)
        except OSError:
            ours.close()  # it goes without; who asks for a worker is told why there is none
        theirs.close()

    def _hear_spare(self) -> None:
        if self._spare is not None and not self._spare.hear():
            self._let_spare_go()

    def _spare_for(self, order: Placement) -> int:
        """The number of the spare if it is now the worker of this order, else 0."""
        spare = self._spare
        if spare is None:
            self._prepare_spare()
            return 0
        if not spare.suits(order):
            return 0
        taken = spare.take(order)
        self._let_spare_go()
        self._prepare_spare()
        return spare.pid if taken else 0

    def _let_spare_go(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            self._loop.forget(spare.channel.fileno())
            spare.channel.close()

    def _fork_host(self, descriptor: int) -> None:
        def body() -> int:
            self._leave_child()
            gc.unfreeze()
            process_tree.become_subreaper()  # what a flow leaves running is the host's, not some worker's
            signals.listen_to_keeper()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            return self._bodies.host(self._app, Channel.adopt(descriptor))

        pid = fork(body)
        os.close(descriptor)
        self._channel.tell(HostStarted(pid))
        self._prepare_spare(0.0)  # the host takes longer to ask for the first worker

    def _leave_child(self) -> None:
        self._loop.leave_child()
        self._channel.close()
        if self._spare is not None:
            self._spare.channel.close()  # or it would outlive the zygote

    def _reap(self) -> None:
        """Report first and reap then, so that a status is never lost with us."""
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                status = ended.si_status << 8 if ended.si_code == os.CLD_EXITED else ended.si_status
                self._channel.tell(Reaped(ended.si_pid, status))
                os.waitpid(ended.si_pid, 0)
