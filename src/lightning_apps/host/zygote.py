"""The process that executed the app file once and forks host and workers from it.  Knows nothing of their lives."""

from __future__ import annotations

import contextlib
import gc
import os
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
from ..model.work import LightningWork
from ..ports import Placement
from ..worker.lookup import find_work
from ..worker.surroundings import leave, reset_signals, settle
from . import signals
from .loop import Loop

ALL_SIGNALS = signal.valid_signals()


class Bodies(msgspec.Struct, frozen=True):
    """What the processes of an app do, handed in so that tests run others.

    Attributes:
        load: gives the app; its argument says whether what the file prints goes to the log only.
        host: runs the app, given the host's end of the channel to the keeper; returns the exit code.
        worker: runs a worker.
        entry: what a fresh interpreter is given to be a worker.
    """

    load: Callable[[bool], LightningApp]
    host: Callable[[LightningApp, Channel], int]
    worker: Callable[[Placement, LightningWork | None], NoReturn]
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
    """Whether neither Python threads nor a GPU's driver would be torn in two by a fork."""
    return threading.active_count() == 1 and not any(map(_is_gpu, _open_files()))


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
    """Forks on request, reaps, reports."""

    def __init__(self, bodies: Bodies, app: LightningApp, channel: Channel) -> None:
        self._bodies, self._app, self._channel = bodies, app, channel
        self._loop = Loop()
        self._loop.listen([signal.SIGCHLD])
        self._loop.read(channel.fileno(), self._obey)

    def serve(self) -> int:
        """Until the keeper closes its end."""
        gc.collect()
        gc.freeze()
        while not self._channel.closed:
            self._loop.step([self._channel.fileno()] if self._channel.waiting else ())
            if self._loop.arrived:
                self._loop.arrived.clear()
                self._reap()
        os._exit(0)  # the atexit handlers of the app's file belong to the host

    def _obey(self) -> None:
        for message in self._channel.receive():
            if isinstance(message, ForkWorker):
                self._fork_worker(message.order)
            elif isinstance(message, ForkHost):
                self._fork_host(self._channel.descriptors.pop())

    def _fork_worker(self, order: Placement) -> None:
        def body() -> int:
            self._leave_child()
            settle(order, subreaper=True)
            reset_signals()
            self._bodies.worker(order, find_work(self._app, order.work))

        try:
            pid = fork(body)
        except OSError as error:
            self._channel.tell(Refused(order.place, f"{order.work} cannot be started: {error.strerror}."))
        else:
            self._channel.tell(Forked(order.place, pid))

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

    def _leave_child(self) -> None:
        self._loop.leave_child()
        self._channel.close()

    def _reap(self) -> None:
        """Report first and reap then, so that a status is never lost with us."""
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                status = ended.si_status << 8 if ended.si_code == os.CLD_EXITED else ended.si_status
                self._channel.tell(Reaped(ended.si_pid, status))
                os.waitpid(ended.si_pid, 0)
