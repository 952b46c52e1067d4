"""The workers of one app as their keeper sees them: started, being ended, gone, and what they left behind.

Nothing here waits.  What a worker started is found in one of two ways: `Adopted` (Linux: orphans of a subreaper's
descendants become its children, so a child that is not known is a leftover) or `Marked` (elsewhere: sessions, the
tree, and the variable every worker carries).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec

from ..base.messages import Event, Exited, Started
from ..engines import process_tree
from ..ports import Placement

QUICKLY = 0.5  # seconds between SIGTERM and SIGKILL for what a worker left behind
PAUSE = 0.03  # seconds between looks while something is being ended
GIVEN_UP = 10.0  # seconds after SIGKILL: what is still there (waits for a disk, for instance) is left alone


class Worker(msgspec.Struct):
    """One placement.

    Attributes:
        pid: 0 until it was started.
        gone: its wait status, once it has ended.
        asked: it is being ended on request, so its end is reported when all of it is gone.
    """

    order: Placement
    pid: int = 0
    gone: int | None = None
    asked: bool = False
    grace: float = 0.0
    reported: bool = False


class Leftovers(Protocol):
    """Finds what workers that have ended left behind."""

    def prepare(self, worker: Worker) -> None:
        """This worker will be ended."""

    def find(self, gone: Collection[Worker]) -> set[int]:
        """Processes that these started and that are still there."""


class Adopted:
    """By adoption: whichever of our children is not known was an orphan."""

    def __init__(self, known: Callable[[], set[int]]) -> None:
        self._known = known

    def prepare(self, worker: Worker) -> None:
        """Nothing to do: its children come to us when it ends."""

    def find(self, gone: Collection[Worker]) -> set[int]:
        return process_tree.children(os.getpid()) - self._known()


class Marked:
    """By session, tree and mark; a fork that made a session of its own and was orphaned before is not found."""

    def __init__(self) -> None:
        self._below: dict[str, dict[int, process_tree.Process]] = {}

    def prepare(self, worker: Worker) -> None:
        self._note([worker])

    def _note(self, workers: Collection[Worker]) -> None:
        processes = process_tree.table()
        for worker in workers:
            mark = process_tree.mark_of(worker.order.place, worker.order.address)
            fresh = process_tree.belonging({worker.pid: mark}, processes)
            self._below.setdefault(worker.order.place, {}).update(fresh)

    def find(self, gone: Collection[Worker]) -> set[int]:
        self._note(gone)
        below = [process for worker in gone for process in self._below.get(worker.order.place, {}).values()]
        return {process.pid for process in below if process_tree.is_alive(process)}


class Places:
    """All workers of one app.

    Args:
        report: takes Started and Exited.
        after: calls back once after some seconds.
        leftovers: how leftovers are found.
        on_end: called with the order of every worker that has ended, before that is reported.
    """

    def __init__(
        self,
        report: Callable[[Event], None],
        after: Callable[[float, Callable[[], None]], None],
        leftovers: Leftovers,
        on_end: Callable[[Placement], None],
    ) -> None:
        self._report, self._after, self._leftovers, self._on_end = report, after, leftovers, on_end
        self._workers: dict[str, Worker] = {}
        self._seen: dict[int, float] = {}  # leftovers, and when they were first asked to end
        self._sweeping = self._timer = False
        self.hurried = self.gave_up = False

    def __contains__(self, place: str) -> bool:
        return place in self._workers

    @property
    def empty(self) -> bool:
        """Whether no worker is there, and nothing of one."""
        return not self._workers

    def living(self) -> tuple[tuple[Placement, int], ...]:
        """Order and process of every worker that lives, or is being started."""
        return tuple((worker.order, worker.pid) for worker in self._workers.values() if worker.gone is None)

    def works(self) -> list[str]:
        """The works whose workers live."""
        return sorted(worker.order.work for worker in self._workers.values() if worker.pid and worker.gone is None)

    def pids(self) -> set[int]:
        """The processes of workers that live."""
        return {worker.pid for worker in self._workers.values() if worker.pid and worker.gone is None}

    def add(self, order: Placement) -> None:
        """It will be started."""
        self._workers[order.place] = Worker(order)

    def started(self, place: str, pid: int) -> None:
        """It was started."""
        worker = self._workers[place]
        worker.pid = pid
        self._report(Started(place, pid))
        if worker.asked:
            self._terminate(worker)

    def drop(self, place: str) -> None:
        """It could not be started."""
        self._workers.pop(place, None)

    def abandon(self, place: str) -> None:
        """It will not be started after all."""
        worker = self._workers.pop(place)
        worker.gone = signal.SIGTERM
        self._tell(worker)

    def stop(self, place: str, grace: float) -> None:
        """End it: SIGTERM, SIGKILL after `grace` seconds."""
        worker = self._workers.get(place)
        if worker is None or worker.gone is not None:
            return
        again, worker.asked, worker.grace = worker.asked, True, grace
        if worker.pid and not again:
            self._terminate(worker)
        elif worker.pid:
            self._kill_after(worker, grace)

    def stop_all(self, grace: float) -> None:
        """End all of them."""
        for place in list(self._workers):
            self.stop(place, 0.0 if self.hurried else grace)

    def hurry(self) -> None:
        """No more grace for anybody."""
        self.hurried = True
        self.stop_all(0.0)
        if self._sweeping:
            self.sweep()

    def _terminate(self, worker: Worker) -> None:
        self._leftovers.prepare(worker)
        process_tree.send_signal(worker.pid, signal.SIGTERM)
        self._kill_after(worker, worker.grace)

    def _kill_after(self, worker: Worker, grace: float) -> None:
        def kill() -> None:
            if worker.gone is None:
                process_tree.send_signal(worker.pid, signal.SIGKILL)

        if grace > 0:
            self._after(grace, kill)
        else:
            kill()

    def gone(self, pid: int, status: int) -> bool:
        """A process has ended; returns whether it was a worker."""
        worker = next((each for each in self._workers.values() if each.pid == pid and each.gone is None), None)
        if worker is None:
            return False
        worker.gone = status
        self._sweeping = True
        if not worker.asked:
            self._tell(worker)
        return True

    def _tell(self, worker: Worker) -> None:
        if not worker.reported:
            worker.reported = True
            self._on_end(worker.order)
            code = os.waitstatus_to_exitcode(worker.gone or 0)
            place = worker.order.place
            self._report(Exited(place, code if code >= 0 else None, -code if code < 0 else None))

    def sweep(self, *, always: bool = False) -> bool:
        """End what workers left behind, and report those of which nothing is left; returns whether all is clean."""
        if not (self._sweeping or always):
            return True
        gone = [worker for worker in self._workers.values() if worker.gone is not None]
        left = self._end(self._leftovers.find(gone))
        if left:
            self._look_again()
            return False
        self._sweeping = False
        self._seen.clear()
        for worker in gone:
            self._tell(worker)
            del self._workers[worker.order.place]
        return True

    def _end(self, found: set[int]) -> set[int]:
        """Ask these and all below them to end, or make them; returns those worth waiting for."""
        now, patience = time.monotonic(), 0.0 if self.hurried else QUICKLY
        for pid in found:
            fresh = pid not in self._seen
            waited = now - self._seen.setdefault(pid, now)
            if fresh or waited >= patience:
                number = signal.SIGKILL if waited >= patience else signal.SIGTERM
                for each in {pid} | process_tree.descendants([pid]):
                    process_tree.send_signal(each, number)
        waited_for = {pid for pid in found if now - self._seen[pid] < GIVEN_UP}
        self.gave_up = self.gave_up or len(waited_for) < len(found)
        return waited_for

    def _look_again(self) -> None:
        def look() -> None:
            self._timer = False
            self.sweep(always=True)

        if not self._timer:
            self._timer = True
            self._after(PAUSE, look)
