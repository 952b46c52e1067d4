"""The parent of an app's processes on one machine: starts, reaps, passes signals on, ends all.  Knows nothing of apps.

One thread, one loop; it waits for nothing but that loop.  The zygote forks host and workers; this process is their
adoptive parent (a subreaper), so that not one of them, nor what they start, can get lost.
"""

from __future__ import annotations

import contextlib
import os
import signal

import msgspec

from ..base.errors import UsageError
from ..base.log import Log
from ..base.messages import Event, Exited, Refused
from ..base.settings import Settings
from ..engines import process_tree
from ..engines.channel import (
    CloseAll,
    Closed,
    Failed,
    Follow,
    PlaceWorker,
    Progressed,
    StopWorker,
    Survey,
    Surveyed,
    Unfollow,
)
from ..ports import Placement
from . import zygote
from .follow import Follower
from .loop import Loop
from .places import Adopted, Marked, Places
from .signals import INTERRUPT
from .starter import Child, Starter

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
REMEMBERED = 10_000  # ends of workers that a later host can be told
RESTART_FIRST, RESTART_LONGEST = 0.1, 5.0  # seconds before the flow's process is started again
SILENCE = 1.5  # seconds after Ctrl-C without an end
PAUSE = 0.03  # seconds between looks whether anybody is left
MARGIN = 5.0  # seconds the host gets beyond the grace of its works
LOAD_GRACE = 3.0  # seconds an app file that is being executed gets after Ctrl-C


class Ending(msgspec.Struct):
    """How far the end has come."""

    first: int = 0  # the signal that asked for it
    interrupts: int = 0
    closing: bool = False  # the host asked for the end of all works
    closed: bool = False  # and was told that it has come
    finishing: bool = False  # the host is gone, or never came
    code: int = 0
    failure: Failed | None = None


class Keeper:
    """One app's keeper.

    Args:
        bodies: what the other processes do.
        folder: where the output of workers is.
        host: an embedded host, which is our parent; without one, the zygote forks the host.

    Attributes:
        cut_off: whether the host was killed when its app had ended: what with is in the journal.
    """

    def __init__(self, bodies: zygote.Bodies, settings: Settings, log: Log, folder: str, host: Child | None) -> None:
        self._settings, self._log = settings, log
        self._embedded = host is not None
        self._host = host or Child()
        self._end = Ending()
        self._ended: dict[str, Exited] = {}
        self.cut_off = False
        self._deaths = 0  # of hosts, since one of them has recorded a turn
        self._loop = Loop()
        self._follower = Follower(folder, settings)
        self._subreaper = not settings.portable and process_tree.become_subreaper()
        self._spared: set[int] = set()  # what the app file itself started
        forks = settings.start_method == "zygote" and not settings.portable
        self._starter = Starter(bodies, self._loop, forks, self, self._leave_child)
        leftovers = Adopted(self._known) if self._subreaper else Marked()
        self._places = Places(self._tell_host, self._loop.after, leftovers, self._worker_ended)

    # -- the loop ------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Keep the app to its end; the exit code to leave with.

        Raises:
            UsageError: the app could not be loaded.
        """
        self._loop.listen([*ENDING, signal.SIGCHLD])
        if self._follower.descriptor is not None:
            self._loop.read(self._follower.descriptor, self._follower.notice)
        if self._host.channel is not None:
            self._watch_host()
        if not self._embedded or self._starter.forks:
            self._starter.start(quiet=False)
        try:
            while not self._over():
                self._step()
        finally:
            self._loop.close()
            if self._end.first:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # all that is left of this process is to exit with a code
        return self._outcome()

    def _step(self) -> None:
        channels = (self._host.channel, self._starter.zygote.channel)
        writers = [channel.fileno() for channel in channels if channel is not None and channel.waiting]
        longest = 0.0 if self._follower.hungry else self._follower.period
        self._loop.step([*writers, *self._follower.blocked()], longest)
        arrived, self._loop.arrived = self._loop.arrived, []
        for number in arrived:
            if number in ENDING:
                self._signalled(number)
        if signal.SIGCHLD in arrived or not self._subreaper:
            self._reap()
        self._places.sweep()
        for channel in channels:
            if channel is not None:
                channel.flush()
        self._follower.pump()

    def _outcome(self) -> int:
        failure = self._end.failure
        if failure is not None and not self._end.first:
            error = UsageError(failure.message)
            error.exit_code = failure.exit_code
            raise error
        return self._end.code

    # -- what the starter says -----------------------------------------------------------------------------

    def loaded(self) -> None:
        """What else is there now, the app file has started."""
        if self._subreaper:
            self._spared |= process_tree.children(os.getpid()) - self._known()
        if self._end.first or self._end.finishing:
            self._finish(128 + self._end.first)
        elif not self._embedded and not self._host.pid:
            self._fork_host()

    def host_started(self, pid: int) -> None:
        """A host lives; who asked for the end before that is heard now."""
        self._host.pid = pid
        if self._end.first:
            self._pass_on(self._end.first)
            self._loop.after(self._settings.grace + MARGIN, self._kill_host)

    def started(self, place: str, pid: int) -> None:
        """A worker lives."""
        self._places.started(place, pid)

    def refused(self, event: Refused) -> None:
        """A worker cannot be started."""
        self._places.drop(event.place)
        self._tell_host(event)

    def failed(self, failure: Failed) -> None:
        """The app cannot be loaded."""
        self._end.failure = failure

    def gone(self, pid: int, status: int) -> None:
        """A process has ended."""
        if pid == self._starter.zygote.pid:
            self._zygote_gone(status)
        elif pid == self._host.pid:
            self._host_gone(status)
        else:
            self._spared.discard(pid)
            self._places.gone(pid, status)

    def _leave_child(self) -> None:
        self._loop.leave_child()
        if self._host.channel is not None:
            self._host.channel.close()
        if self._follower.descriptor is not None:
            os.close(self._follower.descriptor)

    def _zygote_gone(self, status: int) -> None:
        gone = self._starter.bury()
        if gone.pid == self._host.pid:
            self._host_gone(status)
        elif not self._host.pid and not self._end.finishing:
            self._never_started(status)
        elif not (self._end.finishing or self._end.closing):
            self._replace_zygote(gone.ready)

    def _never_started(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code < 0 and not self._end.first:
            self._log.error(f"The app file ended its process with {_name(-code)} while it was executed.")
        self._finish(128 + self._end.first if self._end.first else code if code >= 0 else 1)

    def _replace_zygote(self, was_ready: bool) -> None:
        if was_ready:
            self._log.warning("The process that starts works has ended; another one takes its place.")
            self._starter.start(quiet=True)
        else:
            self._starter.spawn_all()

    # -- workers -------------------------------------------------------------------------------------------

    def _place(self, order: Placement) -> None:
        if order.place in self._places:
            return
        self._places.add(order)
        self._follower.follow(order.work, order.out, order.err)
        self._starter.place(order)

    def _worker_ended(self, order: Placement) -> None:
        self._follower.finish(order.out, order.err)

    def _known(self) -> set[int]:
        return {self._starter.zygote.pid, self._host.pid} | self._spared | self._places.pids()

    # -- ends ----------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                self.gone(pid, status)

    def _watch_host(self) -> None:
        if self._host.channel is not None:
            self._loop.read(self._host.channel.fileno(), self._hear_host)
        handle = process_tree.open_pidfd(self._host.pid) if self._embedded and self._subreaper else None
        if handle is not None:
            self._loop.read(handle, self._parent_gone)

    def _hear_host(self) -> None:
        channel = self._host.channel
        if channel is None:
            return
        for message in channel.receive():
            if isinstance(message, PlaceWorker):
                self._place(message.order)
            elif isinstance(message, StopWorker):
                self._places.stop(message.place, message.grace)
                if self._starter.withdraw(message.place):
                    self._places.abandon(message.place)
            elif isinstance(message, CloseAll):
                self._end.closing = True
                self._end_places(message.grace)
            elif isinstance(message, Survey):
                self._tell_host(Surveyed(self._places.living(), tuple(self._ended.values())))
            elif isinstance(message, Progressed):
                self._deaths = 0
            elif isinstance(message, Follow):
                self._follower.follow(message.work, message.out, message.err)
            elif isinstance(message, Unfollow):
                self._follower.finish(message.out, message.err)
            elif isinstance(message, Failed):
                self._end.failure = message
        if channel.closed:
            self._loop.forget(channel.fileno())
            if self._embedded:
                self._parent_gone()

    def _end_places(self, grace: float) -> None:
        if grace <= 0:
            self._places.hurry()
        else:
            self._places.stop_all(grace)

    def _tell_host(self, message: Event | Closed | Surveyed) -> None:
        if isinstance(message, Exited):
            self._ended[message.place] = message
            while len(self._ended) > REMEMBERED:
                del self._ended[next(iter(self._ended))]
        if self._host.channel is not None:
            self._host.channel.tell(message)  # type: ignore[arg-type]

    def _parent_gone(self) -> None:
        self._finish(0 if self._end.closing else 1)

    def _host_gone(self, status: int) -> None:
        code, end = os.waitstatus_to_exitcode(status), self._end
        self._host.pid = 0
        crashed = code < 0 and not (end.first or end.closing or end.finishing)
        if crashed and self._may_restart():
            self._restart_host(_name(-code))
            return
        if crashed:
            self._log.error(f"The process of the flow was ended by {_name(-code)}; its works are ended with it.")
        elif code < 0 and not end.first:
            self.cut_off = True
            self._log.warning(f"The process of the flow was ended by {_name(-code)} while it ended the app.")
        self._finish(code if code >= 0 else 128 + end.first if end.first else 1)

    def _may_restart(self) -> bool:
        self._deaths += 1
        return self._settings.durability != "memory" and not self._embedded and self._deaths <= self._settings.restarts

    def _restart_host(self, cause: str) -> None:
        """The flow goes on in a new process; works do not notice but for the pause."""
        self._log.warning(f"The process of the flow was ended by {cause}; another takes its place, the works go on.")
        if self._host.channel is not None:
            self._loop.forget(self._host.channel.fileno())
            self._host.channel.close()
        self._host = Child()
        pause = 0.0 if self._deaths == 1 else min(RESTART_LONGEST, RESTART_FIRST * 2**self._deaths)
        self._loop.after(pause, self._start_host)

    def _start_host(self) -> None:
        if self._end.first or self._end.finishing:
            self._finish(128 + self._end.first)
        elif self._starter.zygote.channel is None:
            self._starter.start(quiet=True)
        elif self._starter.zygote.ready:
            self._fork_host()

    def _fork_host(self) -> None:
        self._host.channel = self._starter.fork_host()
        self._watch_host()

    def _finish(self, code: int) -> None:
        if self._end.finishing:
            return
        self._end.finishing, self._end.code = True, code
        self._end_places(self._settings.grace)

    def _over(self) -> bool:
        """Take the steps at the end, each when the one before is done; whether nothing is left to do."""
        end = self._end
        if not (end.closing or end.finishing) or not self._places.empty or (end.closed and not end.finishing):
            return False
        if not self._drained():
            return False
        if not end.finishing:
            end.closed = True
            self._tell_host(Closed())
            return False
        return self._alone() and self._drained()

    def _alone(self) -> bool:
        """End the zygote and whatever else is left; whether there is nobody any more."""
        self._starter.signal(signal.SIGKILL)
        self._spared.clear()
        self._reap()
        clean = self._places.sweep(always=True)
        return clean and not self._starter.zygote.pid and self._childless()

    def _childless(self) -> bool:
        """The list of children may leave one out while they come and go; to wait for any does not.  What SIGKILL does not end is left."""
        if not self._subreaper or self._places.gave_up:
            return True
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        self._loop.after(PAUSE, lambda: None)
        return False

    def _drained(self) -> bool:
        self._follower.pump(everything=True)
        return not self._follower.waiting

    # -- signals -------------------------------------------------------------------------------------------

    def _signalled(self, number: int) -> None:
        if self._embedded:  # the terminal's signals reach the host itself
            if number == signal.SIGTERM:
                process_tree.send_signal(self._host.pid, number)
            return
        end = self._end
        end.first = end.first or number
        if number in (signal.SIGINT, signal.SIGQUIT):
            end.interrupts += 1
        hard = end.interrupts > 1 or number == signal.SIGQUIT
        if number == signal.SIGINT and end.interrupts == 1:
            self._loop.after(SILENCE, self._tell_what_is_waited_for)
        if self._host.pid:
            self._pass_on(number)
            self._loop.after(1.0 if hard else self._settings.grace + MARGIN, self._kill_host)
        elif self._starter.zygote.pid and not end.finishing:
            self._starter.signal(INTERRUPT)
            self._loop.after(0.0 if hard else min(LOAD_GRACE, self._settings.grace), self._kill_zygote)
        if hard:
            self._places.hurry()
            self._follower.give_up()

    def _tell_what_is_waited_for(self) -> None:
        """Somebody sits at a terminal, presses Ctrl-C, and nothing seems to happen."""
        names = self._places.works()
        if names and not self._places.hurried:
            what = f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
            self._log.info(
                f"Waiting for {what} to end, for {self._settings.grace:g} s at most; Ctrl-C again ends them now."
            )

    def _pass_on(self, number: int) -> None:
        sent = {signal.SIGINT: INTERRUPT, signal.SIGQUIT: signal.SIGTERM}.get(signal.Signals(number), number)
        process_tree.send_signal(self._host.pid, sent)

    def _kill_host(self) -> None:
        if self._host.pid:
            process_tree.send_signal(self._host.pid, signal.SIGKILL)

    def _kill_zygote(self) -> None:
        if not self._host.pid:
            self._starter.signal(signal.SIGKILL)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
