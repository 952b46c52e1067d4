"""Places works in the test's own process, where a test plays them or their code runs inline.  Knows nothing of flows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ..base import messages as m
from ..base.messages import Event
from ..model.work import LightningWork
from ..ports import Clock, Survey
from ..worker.packing import packed, twin, unpacked, why_not_packed
from .played_worker import PlayedWorker


class ScriptedEngine:
    """All workers of an app, by place.

    Args:
        clock: the app's.
        inline: whether the code of the work of this name is run for real.

    Attributes:
        latest: the newest worker of each work.
        held: works that cannot be placed yet, and why.
        barred: works that can never be placed, and why.
        began: called when a played call has begun.
        spoke: called when a worker has said something while its code runs inline.
    """

    name = "scripted"

    def __init__(self, clock: Clock, inline: Callable[[str], bool]) -> None:
        self._clock, self._inline = clock, inline
        self.workers: dict[str, PlayedWorker] = {}
        self.latest: dict[str, PlayedWorker] = {}
        self.held: dict[str, str] = {}
        self.barred: dict[str, str] = {}
        self.spoke: Callable[[PlayedWorker], None] = lambda worker: None
        self.began: Callable[[PlayedWorker], None] = lambda worker: None
        self.news: deque[Event] = deque()
        self._waiting: dict[str, LightningWork] = {}  # by place

    # -- what the host asks for --------------------------------------------------------------------------

    def place(self, place: str, work: LightningWork, new: bool) -> None:
        """A worker for this work, or why there is none.

        Args:
            place: the same one a second time changes nothing.
            work: as the flow's side has it.
            new: it was made while the app runs, so that it has to pickle.
        """
        name = work.name
        if place in self.workers or place in self._waiting:
            return
        if name in self.barred:
            self.news.append(m.Refused(place, self.barred[name]))
        elif name in self.held:
            self._waiting[place] = work
            self.news.append(m.Waiting(place, self.held[name]))
        else:
            self._start(place, work, new)

    def _start(self, place: str, work: LightningWork, new: bool) -> None:
        data = packed(work)
        if data is None and new:
            self.news.append(m.Refused(place, why_not_packed(work)))
            return
        copy = twin(work) if data is None else unpacked(data)
        copy._lit_name = work.name
        worker = PlayedWorker(place, copy, self._clock.wall, self._inline(work.name), self._spoke, self._began)
        self.workers[place] = self.latest[work.name] = worker

    def _began(self, worker: PlayedWorker) -> None:
        self.began(worker)

    def _spoke(self, worker: PlayedWorker) -> None:
        if worker.running:
            self.spoke(worker)

    def send(self, place: str, message: m.ToWorker) -> None:
        """Say something to the worker at this place, if it is there."""
        worker = self.workers.get(place)
        if worker is not None and not worker.over and worker.linked:
            worker.tell(message)

    def stop(self, place: str) -> None:
        """Have the worker at this place end."""
        if self._waiting.pop(place, None) is not None:
            self.news.append(m.Exited(place))
        elif place in self.workers:
            self.workers[place].stop()

    def recorded(self, event: m.Said) -> None:
        """What a worker said is in the journal: it is told so after each call, and now and then."""
        worker = self.workers.get(event.place)
        if worker is None or worker.over:
            return
        if isinstance(event.message, m.Moved) or event.offset - worker.acknowledged >= 64:
            worker.acknowledged = event.offset
            worker.from_host.append(m.Acknowledged(event.offset))

    # -- what tests ask for ------------------------------------------------------------------------------

    def release(self, name: str) -> None:
        """This work can be placed now."""
        self.held.pop(name, None)
        for place, work in list(self._waiting.items()):
            if work.name == name:
                del self._waiting[place]
                self._start(place, work, new=False)

    # -- what happens ------------------------------------------------------------------------------------

    def living(self) -> list[PlayedWorker]:
        """Workers that have not ended, in the order of their placement."""
        return [worker for worker in self.workers.values() if not worker.over]

    def step(self, begin: bool = True) -> bool:
        """Every worker does what it can; whether any could.

        Args:
            begin: calls whose code runs inline may begin, too.
        """
        moved = False
        for worker in list(self.workers.values()):
            if not worker.over:
                for move in self.moves(worker, begin):
                    moved = True
                    move()
        return moved

    def moves(self, worker: PlayedWorker, begin: bool = True) -> Iterator[Callable[[], None]]:
        """What this worker can do, one thing after the other, until there is nothing more."""
        while (move := self.next_move(worker, begin)) is not None:
            yield move

    def next_move(self, worker: PlayedWorker, begin: bool = True) -> Callable[[], None] | None:
        """What this worker can do next."""
        if worker.over or worker.stalled:
            return None
        if not worker.linked:
            return worker.dial
        if worker.can_hear:
            return worker.hear
        if worker.can_end:
            return worker.end
        if worker.alarms:
            return worker.ring
        if worker.can_begin and (begin or not worker.inline):
            return worker.begin
        return None

    def heard(self) -> list[Event]:
        """Everything that has come from all workers, for the host."""
        events: list[Event] = []
        for worker in self.workers.values():
            if worker.to_host:
                events += worker.to_host
                worker.to_host.clear()
        events += self.news
        self.news.clear()
        return events

    # -- a later host ------------------------------------------------------------------------------------

    def lose_host(self) -> None:
        """The host is gone; its workers go on."""
        self.news.clear()
        self._waiting.clear()
        for worker in self.workers.values():
            worker.hang_up()

    def lose_all(self) -> None:
        """Everything is gone, and nobody remembers."""
        self.lose_host()
        for worker in self.workers.values():
            worker.die(m.Exited(worker.place, lost=True))
        self.workers.clear()

    def survey(self) -> Survey:
        """What became of the workers of an earlier host."""
        living = {worker.place: 1 for worker in self.living()}
        return Survey(living, tuple(worker.exit for worker in self.workers.values() if worker.exit is not None))
