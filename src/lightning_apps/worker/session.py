"""The work's half of the conversation: what it changes is said, what the flow changes is taken in, calls are run.

Needs a way to send and a clock; knows neither sockets nor processes.  It is the binding of the work in its process.
"""

from __future__ import annotations

import pickle
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable
from typing import Any

from ..base import arrivals
from ..base import messages as m
from ..base import values as values_module
from ..base.encoding import encode, encode_change
from ..base.errors import CannotKeep, WorkStopped, WrongPlace
from ..base.messages import DELETE, SET, SPLICE, Change, Failure
from ..base.status import WorkFailureReasons as Why
from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus
from ..base.traces import user_traceback
from ..base.values import TrackedDict, TrackedList
from ..model import component as component_module
from ..model.component import Component
from ..model.flow import LightningFlow
from ..model.retry import Policy
from ..model.work import LightningWork
from ..wire import codec
from .gate import gated
from .outbox import Outbox

RATE = 4000.0  # sends a second that changes are worth at most; what is more is sent together
CREDIT = 8.0  # changes that are sent at once, each by the thread that made it, before that counts
TAIL = 0.001  # seconds after which what was held back of a burst is sent by a timer
BURST = 1024  # changes held back at most
REPORT = 64  # messages of the host after which it is told that they have come
OFFLINE = 1 << 20  # bytes kept without a host before they are summarised
BACKLOG = 4096  # messages of the flow that wait at most for the work to read an attribute

MUTATORS = frozenset({module.__file__ for module in (arrivals, values_module, component_module)})
Alarm = Callable[[str, "float | None", Callable[[], None]], None]


class Session:
    """One work's conversation with its host.

    Args:
        work: is bound to this session.
        send: is given every frame, in order; never blocks for long.
        alarm: calls back in so many seconds, on another thread if this one is busy.
        wall: the wall clock.
        clock: seconds that only grow.
    """

    context = "work"

    def __init__(
        self,
        work: LightningWork,
        send: Callable[[bytes], None],
        alarm: Alarm,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.work, self._send, self._alarm, self._wall, self._clock = work, send, alarm, wall, clock
        self.outbox = Outbox()
        self.online = False  # a host has welcomed us and its link stands
        self.generation = self.received = self.attempted = 0
        self._unreported = 0
        self.current: m.Run | None = None
        self._checkpoint: dict[str, Any] | None = None
        self.stopping = self.exiting = False
        self.offered_port = 0
        self._thread = threading.get_ident()
        self._lock = threading.RLock()
        self._parts: list[bytes] = []
        self._seen = self._acknowledged = 0
        self._last, self._credit = 0.0, CREDIT
        self._tail = self._taking_in = False
        self._incoming: list[m.Changes] = []
        self._plain_class = type(work)
        self._gated_class = gated(type(work))
        self._watched: dict[str, bytes] = {}
        work._lit_binding = self

    # -- saying ------------------------------------------------------------------------------------------

    def moved(self, component: Component, path: tuple[Any, ...], op: int, value: Any, old: Any = None) -> None:
        """A path of the work's state took a value: sent at once if it is calm, with the rest of the burst if not."""
        data = encode_change(path, op, value)
        with self._lock:
            self._parts.append(data)
            now = self._clock()
            credit = self._credit + (now - self._last) * RATE
            self._last = now
            if credit >= 1.0 or len(self._parts) >= BURST:
                self._credit = min(credit, CREDIT) - 1.0
                self._flush()
                return
            self._credit = credit
            if not self._tail:
                self._tail = True
                self._alarm("tail", TAIL, self._flush_tail)

    def _flush_tail(self) -> None:
        with self._lock:
            self._tail = False
            if self._parts:
                self._flush()

    def _flush(self) -> None:
        """With the lock held: everything that was changed, as one message."""
        parts, self._parts = self._parts, []
        self._out(self.outbox.add(codec.changed_payload(self._seen, parts)))

    def _out(self, data: bytes) -> None:
        """With the lock held: to the host if there is one; it is kept in any case."""
        if self.online:
            self._send(data)
        elif len(data) > OFFLINE or self.outbox.size > OFFLINE:
            self._summarise()

    def _summarise(self) -> None:
        """Without a host: what was changed since the last stage of a call becomes one value per attribute."""
        tail = self.outbox.tail(codec.is_changed)
        if len(tail) > 1 and self._nobody_mutates():
            names = {change.path[0] for payload in tail for change in codec.load_from_worker(payload).changes}
            values = self.work.__dict__
            data = [encode_change((n,), SET if n in values else DELETE, values.get(n)) for n in sorted(names)]
            self.outbox.replace_tail(len(tail), codec.changed_payload(self._seen, data))

    def say(self, message: Any) -> None:
        """After everything that was changed before it."""
        payload = codec.dump(message)
        with self._lock:
            if self._parts:
                self._flush()
            self._out(self.outbox.add(payload))

    def check_thread(self, component: Component) -> None:
        """In a work any thread may assign, until it is stopped."""
        if self.stopping and not self.exiting:
            raise WorkStopped(f"{self.work._lit_name} was stopped.")

    # -- hearing -----------------------------------------------------------------------------------------

    def hear(self, message: Any) -> bool:
        """Take one message of the host; True if it is for whoever runs calls."""
        if isinstance(message, m.Changes):
            self._hear_changes(message)
        elif isinstance(message, m.Acknowledged):
            self._hear_acknowledged(message.offset)
        elif isinstance(message, m.Whole):
            if message.version > self.received:
                self._note_received(message.version)
                self._answer_whole(message)
        elif isinstance(message, m.Run) and message.attempt <= self.attempted:
            """It was received before the host it came from was lost."""
        else:
            self.attempted = message.attempt if isinstance(message, m.Run) else self.attempted
            return True
        return False

    def _hear_acknowledged(self, offset: int) -> None:
        """What waits to be taken in was said before this: it may need what is acknowledged now to be replayed over it."""
        with self._lock:
            self._acknowledged = offset
            if not self._incoming:
                self.outbox.acknowledged(offset)

    def welcome(self, message: m.Welcome) -> None:
        """The state to begin with."""
        with self._lock:
            for name in [name for name in self.work._lit_state if name not in message.state]:
                self.work._lit_apply(Change((name,), DELETE))
            for name, value in message.state.items():
                self.work._lit_apply(Change((name,), SET, value))
            self._seen = self.received = message.version
            self.generation, self.offered_port, self.online = message.generation, message.port, True
            self._watched = dict.fromkeys(self.work._lit_opaque, b"")
            self._remember_watched(self.work._lit_opaque)

    def welcome_back(self, message: m.Welcome) -> bool:
        """A later host has us: it hears what it has not heard.  False for a host that is not the latest."""
        with self._lock:
            if message.generation < self.generation:
                return False
            self.generation, self.online = message.generation, True
            self.outbox.acknowledged(message.heard)
            for data in self.outbox.frames:
                self._send(data)
            return True

    def offline(self) -> None:
        """The link is gone: what is said is kept."""
        with self._lock:
            self.online = False

    def _note_received(self, version: int) -> None:
        self.received = max(self.received, version)
        self._unreported += 1
        if self._unreported >= REPORT:
            self._unreported = 0
            with self._lock:
                if self.online:
                    self._send(codec.frame(codec.dump(m.Received(self.received))))

    def _hear_changes(self, message: m.Changes) -> None:
        if message.version <= self.received:
            return
        self._note_received(message.version)
        with self._lock:
            self._incoming.append(message)
            self._close_gate()
        if len(self._incoming) > BACKLOG:
            self.settle_in()

    def _close_gate(self) -> None:
        if type(self.work) is self._plain_class:
            object.__setattr__(self.work, "__class__", self._gated_class)

    def settle_in(self) -> None:
        """Take in what the flow has written; called when an attribute is about to be read."""
        if self.stopping and not self.exiting and threading.get_ident() == self._thread:
            raise WorkStopped(f"{self.work._lit_name} was stopped.")
        while True:
            with self._lock:
                if not self._incoming or self._nobody_mutates():
                    object.__setattr__(self.work, "__class__", self._plain_class)
                    self._take_in()
                    return
            time.sleep(0.0001)

    def _nobody_mutates(self) -> bool:
        """Whether no other thread is between changing a value and telling us so."""
        me = threading.get_ident()
        for ident, frame in sys._current_frames().items():
            here: Any = frame if ident != me else None
            while here is not None:
                if here.f_code.co_filename in MUTATORS:
                    return False
                here = here.f_back
        return True

    def _take_in(self) -> None:
        """With the lock held: everything the flow has written.  What was held back of a burst was changed before it."""
        if self._taking_in:
            return  # the gate: we read attributes too
        incoming, self._incoming, self._taking_in = self._incoming, [], True
        silent = {change.path[0] for message in incoming for change in message.changes} & self.work._lit_opaque
        self._sweep_quietly(silent)
        if incoming and self._parts:
            self._flush()
        for message in incoming:
            self._apply(message)
        self._remember_watched(silent & self.work._lit_opaque)
        self._taking_in = False
        self.outbox.acknowledged(self._acknowledged)

    def _apply(self, message: m.Changes) -> None:
        """The flow's changes, and over them what the host had not heard of us when it made them."""
        mine = self._unheard(message.heard)
        won = {change.path for change in mine if change.op in (SET, DELETE)}  # other threads see no older value there
        touched = set()
        for change in message.changes:
            if not won or won.isdisjoint(change.path[:depth] for depth in range(1, len(change.path) + 1)):
                touched.add(change.path[0])
                self.work._lit_apply(change, gentle=True)
        self._seen = message.version
        if mine:
            self._replay([change for change in mine if change.path[0] in touched])

    def _unheard(self, heard: int) -> list[Change]:
        payloads = self.outbox.after(heard)
        found: list[Change] = []
        for payload in payloads:
            message = codec.load_from_worker(payload)
            if isinstance(message, m.Changed):
                found += message.changes
        return found + [codec.load_change(part) for part in self._parts]

    def _replay(self, mine: list[Change]) -> None:
        """Our later arrivals again.  What happened inside a list is in it already, unless the list itself is set anew here."""
        anew: list[tuple[Any, ...]] = []
        for change in mine:
            inside_list = change.op == SPLICE or self._through_list(change.path)
            if inside_list and not any(change.path[: len(path)] == path for path in anew):
                continue
            self.work._lit_apply(change, gentle=True)
            if change.op in (SET, DELETE):
                anew.append(change.path)

    def _through_list(self, path: tuple[Any, ...]) -> bool:
        holder: Any = self.work.__dict__.get(path[0])
        for key in path[1:]:
            if isinstance(holder, TrackedList):
                return True
            holder = dict.get(holder, key) if isinstance(holder, TrackedDict) else None
        return False

    def _answer_whole(self, message: m.Whole) -> None:
        """Say a value anew, at a moment when no thread is in the middle of changing it."""
        while True:
            with self._lock:
                if self._nobody_mutates() and self._say_whole(message):
                    return
            time.sleep(0.0002)

    def _say_whole(self, message: m.Whole) -> bool:
        self._take_in()
        value, found = self.work.__dict__, True
        for key in message.path:
            value, found = _step(value, key)
            if not found:
                break
        data = encode_change(message.path, SET if found else DELETE, value if found else None)
        if not self._nobody_mutates():
            return False
        if self._parts:
            self._flush()
        self._seen = message.version
        self._parts.append(data)
        self._flush()
        return True

    # -- values that change without telling ----------------------------------------------------------------

    def _remember_watched(self, names: Iterable[str]) -> None:
        for name in names:
            self._watched[name] = encode(self.work.__dict__.get(name))

    def sweep(self, names: Iterable[str] | None = None) -> None:
        """Say what changed inside values that do not tell (all of them, or these), up to 64 KiB each."""
        for name in list(self.work._lit_opaque if names is None else names):
            value = self.work.__dict__.get(name)
            data = encode(value)
            if data != self._watched.get(name) and len(data) <= 65536:
                self._watched[name] = data
                self.moved(self.work, (name,), SET, value)

    # -- running -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """`on_start`, then ready for calls."""
        self._thread = threading.get_ident()
        failure = None
        try:
            self.work._lit_settle_in()
            self.work.on_start()
            self.sweep()
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            failure = Failure(Why.USER_EXCEPTION, user_traceback(error), type(error).__name__)
        self.say(m.Ready(self._wall(), failure))

    def run(self, order: m.Run) -> None:
        """One call, from its first status to its last."""
        self._thread = threading.get_ident()
        self.current, self._checkpoint = order, order.checkpoint
        self.say(m.Moved(order.ordinal, order.attempt, Stage.RUNNING, self._wall()))
        try:
            self.settle_in()
            args, kwargs = pickle.loads(order.arguments)
            value = self._plain_class.run.plain(self.work, *args, **kwargs)  # type: ignore[attr-defined]
            self.sweep()
            self._succeeded(order, value)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self._failed(order, error)
        finally:
            self.current = None

    def _succeeded(self, order: m.Run, value: Any) -> None:
        try:
            self.say(m.Moved(order.ordinal, order.attempt, Stage.SUCCEEDED, self._wall(), value))
        except CannotKeep:
            text = (
                f"{self.work.name} returned a {type(value).__module__}.{type(value).__qualname__}, which cannot be kept: "
                "return what can be state (numbers, text, lists, dicts, tuples, dataclasses, arrays), "
                "or hand it over as a Payload attribute."
            )
            failure = Failure(Why.INVALID_RETURN_VALUE, text, "CannotKeep")
            self.say(m.Moved(order.ordinal, order.attempt, Stage.FAILED, self._wall(), None, failure))

    def _failed(self, order: m.Run, error: BaseException) -> None:
        text = user_traceback(error)
        self._sweep_quietly()
        exit_code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else None
        failure = Failure(Why.USER_EXCEPTION, text, type(error).__name__, exit_code)
        self.say(m.Moved(order.ordinal, order.attempt, Stage.FAILED, self._wall(), None, failure))
        try:
            self.work.on_exception(error)
        except BaseException as again:
            if again is not error and not isinstance(again, WorkStopped):
                sys.stderr.write(user_traceback(again))
            elif isinstance(again, WorkStopped):
                raise

    def _sweep_quietly(self, names: Iterable[str] | None = None) -> None:
        try:
            self.sweep(names)
        except Exception as error:
            sys.stderr.write(f"{self.work.name}: {error}\n")

    def terminate(self) -> None:
        """`on_exit`, and what it changed is said; nothing is run after it."""
        if self.exiting:
            return
        self.exiting = True
        try:
            self.work.on_exit()
        except Exception as error:
            sys.stderr.write(user_traceback(error))
        self._sweep_quietly()
        if self.current is not None:
            self.say(m.Moved(self.current.ordinal, self.current.attempt, Stage.STOPPED, self._wall()))
        with self._lock:
            if self._parts:
                self._flush()

    @property
    def busy_here(self) -> bool:
        """Whether the calling thread is in the middle of saying or taking in something."""
        return bool(self._lock._is_owned())  # type: ignore[attr-defined]

    def halt(self) -> None:
        """From another thread: end the call at its next read or write of state."""
        with self._lock:
            self.stopping = True
            self._close_gate()

    # -- the rest of a binding -----------------------------------------------------------------------------

    def call(
        self,
        work: LightningWork,
        plain: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        policy: Policy | None = None,
    ) -> Any:
        """In its own process `run` is an ordinary method."""
        return plain(work, *args, **kwargs)

    def attached(self, child: Component) -> None:
        raise WrongPlace(f"{self.work.name} cannot take children.")

    def detached(self, child: Component) -> None:
        """Works have no children."""

    def start(self, work: LightningWork) -> None:
        self._only_flows("start")

    def stop(self, work: LightningWork, delete: bool = False) -> None:
        self._only_flows("delete" if delete else "stop")

    def retry(self, work: LightningWork) -> None:
        self._only_flows("be asked for again")

    def _only_flows(self, what: str) -> None:
        raise WrongPlace(f"Only the `LightningFlow` can request this work ({self.work.name!r}) to {what}.")

    def statuses(self, work: LightningWork) -> list[WorkStatus]:
        """In its own process a work is running, or has started."""
        stage = Stage.RUNNING if self.current is not None else Stage.STARTED
        return [WorkStatus(stage=stage, timestamp=self._wall())]

    def calls(self, component: Component) -> dict[str, Any]:
        """Calls are the flow's side's business."""
        return {"latest_call_hash": None}

    def attempt(self, work: LightningWork) -> int:
        """The number of this delivery; only grows."""
        return self.current.attempt if self.current is not None else 0

    def checkpoint(self, work: LightningWork, values: dict[str, Any]) -> None:
        """Keep something for the next attempt of this call; what the work has changed so far is kept by the flow's side first."""
        if self.current is None:
            raise WrongPlace(f"{self.work.name}.checkpoint() can be called only while run() is under way.")
        self.sweep()
        self._checkpoint = dict(values)
        self.say(m.Checkpoint(self.current.ordinal, self.current.attempt, self._checkpoint))

    def last_checkpoint(self, work: LightningWork) -> dict[str, Any] | None:
        """What this call's earlier attempt kept, or this one has since."""
        return self._checkpoint

    def successes(self, work: LightningWork) -> int:
        """Known to the flow's side only."""
        return 0

    def timeouts(self, work: LightningWork) -> int:
        """Known to the flow's side only."""
        return 0

    def port(self, work: LightningWork) -> int:
        """What the host has handed out."""
        return self.offered_port

    def schedule(
        self, flow: LightningFlow, code: types.CodeType, line: int, user_key: str | None, pattern: str, start: Any
    ) -> bool:
        raise WrongPlace("Only flows have schedules.")


def _step(value: Any, key: Any) -> tuple[Any, bool]:
    try:
        return (dict.__getitem__(value, key) if isinstance(value, dict) else list.__getitem__(value, key)), True
    except (KeyError, IndexError, TypeError):
        return None, False
