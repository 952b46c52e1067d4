"""A whole app in memory whose host can die between any two lines: real coordinator, real sessions, records as bytes.

Workers run in threads that hand the turn back at every `pause()`, so that everything happens in one order, the same each time.
"""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from lightning_apps.base import messages as m
from lightning_apps.base.encoding import decode, encode, ext_hook
from lightning_apps.base.errors import WorkStopped
from lightning_apps.base.messages import Event, Outcome, Record
from lightning_apps.core.coordinator import Coordinator, Options
from lightning_apps.model.flow import LightningFlow
from lightning_apps.wire import codec
from lightning_apps.worker.session import Session

TURNS = 3000  # an app that needs more hangs


class HostDied(BaseException):
    """The host's process is gone, in the middle of what it did."""


class Killed(BaseException):
    """The worker's process is gone, in the middle of what it did."""


class Body(threading.Thread):
    """One call, running until it pauses or ends; only one thread of the world moves at any time."""

    here = threading.local()

    def __init__(self, worker: Worker, order: m.Run) -> None:
        super().__init__(daemon=True)
        self.worker, self.order, self.over, self.killed = worker, order, False, False
        self._go, self._paused = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._paused.acquire()

    def run(self) -> None:
        self._go.acquire()
        Body.here.body = self
        try:
            if not self.killed:
                self.worker.session.run(self.order)
        except (Killed, WorkStopped):
            """It ends where it was."""
        finally:
            self.over = True
            self._paused.release()

    def advance(self) -> None:
        """Run until the next pause, or to the end."""
        self._go.release()
        self._paused.acquire()

    def pause(self) -> None:
        """From within: let others go on."""
        self._paused.release()
        self._go.acquire()
        if self.killed:
            raise Killed


def pause() -> None:
    """Called by works: anything may happen here."""
    Body.here.body.pause()


def note(what: str, *call: Any) -> None:
    """Called by works: an attempt begins or ends."""
    body = Body.here.body
    body.worker.world.noted(what, body.worker, body.order, call)


class Worker:
    """One worker's process."""

    def __init__(self, world: World, place: str, work: Any) -> None:
        self.world, self.place, self.name = world, place, place.partition("@")[0]
        self.from_host: deque[Any] = deque()
        self.to_host: deque[tuple[int, bytes]] = deque()
        self.alarms: dict[str, Callable[[], None]] = {}
        self.orders: deque[Any] = deque()
        self.linked, self.dead, self.welcomed = False, False, False
        self.body: Body | None = None
        self.acknowledged = 0
        self.session = Session(work, self._send, self._alarm, lambda: world.now, lambda: world.now)
        self.unfinished: m.Run | None = None  # the attempt that has begun and not ended

    def _alarm(self, name: str, seconds: float | None, callback: Callable[[], None]) -> None:
        self.alarms[name] = callback

    def _send(self, data: bytes) -> None:
        if self.linked and not self.dead:
            self.to_host.extend(codec.Frames().feed(data))

    def dial(self) -> None:
        """Reach the host that is there."""
        self.linked = True
        session = self.session
        self.world.arrive(m.Attached(self.place, 1, session.received, session.attempted))

    def hang_up(self, lose: bool) -> None:
        """The host is gone; what it had sent is still there to be read, or not."""
        self.linked, self.acknowledged = False, 0
        self.to_host.clear()
        while self.from_host and not lose:
            self._hear()
        self.from_host.clear()
        self.session.offline()

    def step(self) -> bool:
        """Do the next small thing; whether there was one."""
        if self.dead:
            return False
        if not self.linked and self.world.host is not None:
            self.dial()
            return True
        for callback in [self.alarms.pop(name) for name in list(self.alarms)]:
            callback()
        if self.from_host:
            self._hear()
            return True
        return self._work()

    def _work(self) -> bool:
        if self.body is None and self.orders:
            self.body = Body(self, self.orders.popleft())
            self.body.start()
        if self.body is None:
            return False
        self.body.advance()
        if self.body.over:
            self.body.join()
            self.body = self.unfinished = None
        return True

    def _hear(self) -> None:
        message = codec.load_to_worker(self.from_host.popleft())
        if isinstance(message, m.Welcome):
            self._welcome(message)
        elif isinstance(message, m.Rejected):
            self.end()
        elif self.session.hear(message):
            self.orders.append(message)

    def _welcome(self, message: m.Welcome) -> None:
        if message.again:
            assert self.session.welcome_back(message)
        else:
            self.session.welcome(message)
            self.session.begin()

    def end(self, signal: int | None = None) -> None:
        """SIGTERM (its last words are said), or killed by another signal."""
        if self.dead:
            return
        if signal is None and self.session.received:
            self.session.terminate()
        self.dead = True
        if self.body is not None:
            self.body.killed = True
            self.body.advance()
            self.body.join()
        self.body = self.unfinished = None
        self.world.ended(self, m.Exited(self.place, None if signal else 0, signal))


class World:
    """An app with its disk, its processes and its history; `plan` is told of every point where the host may die.

    Args:
        root: makes the app's root anew, as every execution of its file does.
        plan: called with the name of the point; raises HostDied to let the host die there.
        batch: whether a turn takes everything that is there, or one event.
        snapshots: turns between snapshots, 0 for none.
        together: whether turns that ask for nothing wait to be recorded with the next, as they do in a host; at most so many.
    """

    def __init__(
        self,
        root: Callable[[], LightningFlow],
        plan: Callable[[str], None] = lambda name: None,
        batch: bool = True,
        snapshots: int = 0,
        together: int = 0,
    ) -> None:
        self.build, self.plan, self.batch, self.snapshots, self.together = root, plan, batch, snapshots, together
        self.waiting: list[tuple[Outcome, list[Event]]] = []  # turns that are not recorded yet
        self.now = 1_700_000_000.0
        self.disk: list[bytes] = []
        self.snapshot: tuple[int, bytes] | None = None
        self.workers: dict[str, Worker] = {}
        self.exits: list[m.Exited] = []
        self.inbox: list[Event] = []
        self.host: Coordinator | None = None
        self.root: Any = None
        self.exit: m.Exit | None = None
        self.history: list[tuple[str, str, int, int]] = []  # begin, end, success; work, ordinal, attempt
        self.faults: list[str] = []
        self.said: list[str] = []
        self.hosts = 0

    # -- hosts -----------------------------------------------------------------------------------------------

    def live(self, after_death: Callable[[World], None] = lambda world: None) -> None:
        """To the end of the app, however many hosts that takes."""
        while self.exit is None:
            try:
                self._begin()
                for _ in range(TURNS):
                    self._turn()
                    if self.exit is not None:
                        return self._finish()
                raise AssertionError(f"the app hangs: {self._where()}")
            except HostDied:
                self.host, self.inbox, self.exit, self.waiting = None, [], None, []
                after_death(self)
        return None

    def _where(self) -> str:
        lives = self.host.crew.lives.values() if self.host is not None else ()
        shown = [(each.name, each.place, each.phase, [c.stage for c in each.calls.unsettled()]) for each in lives]
        return f"{shown}, flow: {self.root._lit_values()}, last said: {self.said[-3:]}"

    def _begin(self) -> None:
        self.hosts += 1
        self.root = self.build()
        host = Coordinator(self.root, Options(free_port=lambda: 7777))
        if not self.disk:
            outcome = host.begin(self.now)
        else:
            kept, first = (decode(self.snapshot[1]), self.snapshot[0]) if self.snapshot else (None, 0)
            alive = {place for place, worker in self.workers.items() if not worker.dead}
            alive |= {each.place for each in self.exits}
            outcome = host.restore(kept, self.records(first), codec.load_from_worker, self.now, alive)
            self.inbox += self.exits
        self.host = host
        self._commit(outcome, [])

    def records(self, first: int = 0) -> Iterator[Record]:
        """What is on the disk."""
        decoder = msgspec.msgpack.Decoder(Record, ext_hook=ext_hook)
        return (decoder.decode(data) for data in self.disk[first:])

    def _turn(self) -> None:
        assert self.host is not None
        moved = False
        for worker in list(self.workers.values()):
            moved = worker.step() or moved
            self._hear(worker)
        self.now += 0.01
        events, self.inbox = (self.inbox, []) if self.batch else (self.inbox[:1], self.inbox[1:])
        wake_at = self.host.wake_at
        if not events and not moved and not any(worker.to_host for worker in self.workers.values()):
            self._acknowledge(self._record())
            if wake_at is None:
                raise AssertionError(f"nothing will ever happen: {self._where()}")
            self.now = max(self.now, wake_at)
        if events or (wake_at is not None and wake_at <= self.now):
            self._commit(self.host.step(events, self.now), events)
            self._keep_snapshot()

    def _hear(self, worker: Worker) -> None:
        """The next frame of a worker, or all there are."""
        while worker.to_host:
            offset, payload = worker.to_host.popleft()
            message = codec.load_from_worker(payload)
            got = isinstance(message, m.Received)
            self.inbox.append(
                m.Got(worker.place, message.version) if got else m.Said(worker.place, offset, message, payload)
            )
            if not self.batch:
                return

    def _commit(self, outcome: Outcome, events: list[Event]) -> None:
        self.plan("turn")
        self.waiting.append((outcome, events))
        heard = self._record() if outcome.effects or len(self.waiting) > self.together else []
        for effect in outcome.effects:
            self._perform(effect)
            self.plan(type(effect).__name__)
        self._acknowledge(heard)

    def _record(self) -> list[Event]:
        """What waits is on the disk, all of it or nothing; what was heard in it."""
        waiting, self.waiting = self.waiting, []
        records = [outcome.record for outcome, _ in waiting if not outcome.record.empty]
        self.disk += [msgspec.msgpack.encode(record) for record in records]
        for record in records:
            self._note_successes(record)
        if records:
            self.plan("recorded")
        return [event for _, events in waiting for event in events]

    def _acknowledge(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, m.Said):
                self._recorded(event)

    def _note_successes(self, record: Record) -> None:
        for what, name, *rest in record.story:
            if what == "moved" and rest[1] == "succeeded":
                self.history.append(("success", name, rest[0], rest[2]))

    def _keep_snapshot(self) -> None:
        if self.snapshots and len(self.disk) % self.snapshots == 0 and self.host is not None and not self.waiting:
            self.snapshot = (len(self.disk), encode(self.host.snapshot()))
            self.plan("snapshot")

    def _recorded(self, event: m.Said) -> None:
        worker = self.workers.get(event.place)
        if worker is None or worker.dead:
            return
        if isinstance(event.message, m.Moved) or event.offset - worker.acknowledged >= 3:
            worker.acknowledged = event.offset
            worker.from_host.append(codec.dump(m.Acknowledged(event.offset)))
            self.plan("Acknowledged")

    # -- effects -----------------------------------------------------------------------------------------------

    def _perform(self, effect: m.Effect) -> None:
        if isinstance(effect, m.Place):
            self._place(effect)
        elif isinstance(effect, m.Send):
            worker = self.workers.get(effect.place)
            message = effect.message
            if isinstance(message, m.Welcome):
                message = msgspec.structs.replace(message, generation=self.hosts)
            if worker is not None and not worker.dead:
                worker.from_host.append(codec.dump(message))
        elif isinstance(effect, m.Stop):
            if effect.place in self.workers:
                self.workers[effect.place].end()
        elif isinstance(effect, m.Exit):
            self.exit = effect
        elif isinstance(effect, m.Say):
            self.said.append(effect.message)

    def _place(self, effect: m.Place) -> None:
        assert self.host is not None
        if effect.place in self.workers:
            self.faults.append(f"{effect.place} is placed twice")
        work = pickle.loads(pickle.dumps(self.host.tree[effect.work]))
        work._lit_retrack()
        work._lit_name = effect.work
        self.workers[effect.place] = Worker(self, effect.place, work)
        self.inbox.append(m.Started(effect.place, 1))

    def arrive(self, event: Event) -> None:
        """Something happened outside."""
        self.inbox.append(event)

    def ended(self, worker: Worker, event: m.Exited) -> None:
        """A worker's process is gone; a host hears its last words first."""
        if self.host is not None:
            self._hear(worker) if self.batch else [self._hear(worker) for _ in range(len(worker.to_host))]
            self.inbox.append(event)
        self.exits.append(event)

    # -- what tests do to it ---------------------------------------------------------------------------------

    def lose_host(self, lose_sent: bool = False, steps: int = 0) -> None:
        """Workers notice that the host is gone, and go on for so many steps."""
        for worker in self.workers.values():
            if not worker.dead:
                worker.hang_up(lose_sent)
        for _ in range(steps):
            for worker in list(self.workers.values()):
                worker.step()

    def lose_everything(self) -> None:
        """Host and workers went together, and nobody remembers."""
        for worker in self.workers.values():
            worker.end(9)
        self.exits.clear()

    def kill(self, number: int) -> None:
        """One of the works that run a call, by SIGKILL."""
        living = [worker for worker in self.workers.values() if worker.body is not None]
        if living:
            living[number % len(living)].end(9)

    def _finish(self) -> None:
        for worker in self.workers.values():
            worker.end(9)

    # -- what happened -----------------------------------------------------------------------------------------

    def noted(self, what: str, worker: Worker, order: m.Run, call: tuple[Any, ...]) -> None:
        """An attempt begins or ends, as its work says."""
        entry = (what, worker.name, order.ordinal, order.attempt)
        if what == "begin":
            for other in self.workers.values():
                if other is not worker and other.name == worker.name and other.unfinished is not None:
                    self.faults.append(f"{entry} begins while attempt {other.unfinished.attempt} goes on")
            if ("success", worker.name, order.ordinal) in {each[:3] for each in self.history}:
                self.faults.append(f"{entry} begins after its success was recorded")
            worker.unfinished = order
        else:
            worker.unfinished = None
        self.history.append(entry)

    def successes(self) -> dict[tuple[str, int], int]:
        """How often each call was recorded as succeeded."""
        found: dict[tuple[str, int], int] = {}
        for what, name, ordinal, _ in self.history:
            if what == "success":
                found[name, ordinal] = found.get((name, ordinal), 0) + 1
        return found

    def check(self) -> None:
        """What holds for every app whatever happened to it."""
        assert not self.faults, self.faults
        assert set(self.successes().values()) <= {1}, self.successes()
        for name, ordinal in self.successes():
            assert any(each[:3] == ("end", name, ordinal) for each in self.history), f"{name} {ordinal} never ended"
        attempts = [each[1:] for each in self.history if each[0] == "begin"]
        assert len(attempts) == len(set(attempts)), "an attempt began twice"

    def outcome(self) -> dict[str, Any]:
        """What does not depend on how often anything was tried."""
        assert self.host is not None and self.exit is not None
        lives = self.host.crew.lives
        values = {name: _plain(each._lit_values()) for name, each in self.host.tree.items()}
        calls = {
            name: {key: (call.stage, _plain(call.value)) for key, call in life.calls.by_key.items()}
            for name, life in lives.items()
        }
        return {"exit": self.exit.code, "values": values, "calls": calls}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items() if key != "_layout"}
    return decode(encode(value))
