"""The deterministic centre: events in, one turn of the root flow, a record and effects out.  No clock, thread, file or socket."""

from __future__ import annotations

from collections.abc import Callable, Container, Coroutine, Iterable, Mapping
from typing import Any

from ..base import messages as m
from ..base.encoding import decode, encode_change
from ..base.errors import AppExit, Blocked, CannotKeep, NotAttached, OutOfDate
from ..base.messages import Event, Outcome, Record
from ..base.published import Published
from ..base.status import AppStage, WorkStatus
from ..base.status import WorkStageStatus as Stage
from ..base.traces import deepest, user_traceback
from ..base.values import plain
from ..model.component import Component
from ..model.flow import LightningFlow
from ..model.work import LightningWork
from . import edits
from . import restore as saving
from .asking import Asking
from .crew import Crew
from .failures import Failures
from .finished import Part
from .flow_side import FlowSide
from .intake import Intake
from .layouts import Layouts
from .ledger import Ledger
from .life import Life
from .members import Members
from .options import Options
from .pace import Pace
from .shown import Shown
from .timers import Schedules
from .trial import Trial
from .undo import Undo
from .watched import Watched


class Coordinator:
    """Holds the component tree, its calls and timers; `step` is the only way to move it.

    Args:
        root: the root flow; it and everything below is bound to this coordinator.
    """

    def __init__(self, root: LightningFlow, options: Options | None = None) -> None:
        self.root, self.options = root, options or Options()
        self.tree: dict[str, Component] = {}
        self.shown = Shown(self.tree)
        self.ledger = Ledger(self.shown)
        self.crew = Crew(self.ledger.emit, self.options.history, self.options.lost_limit)
        self.crew.roll_back = _roll_back
        self.schedules = Schedules(self.options.zone)
        self.layouts = Layouts()
        self.turn = 0
        self.awake = True  # the flow has reason to run again
        self.held = False  # and does not before somebody says so
        self.done = False
        self._cut = self._theirs = False  # the turn is to be cut short; users' code may be running
        self._next_tick: float | None = None
        self._pace = Pace(self.options, self.ledger.emit)
        self._watched, undo = Watched(self.tree), Undo(self.crew.places)
        self._trial = Trial(self.ledger, undo, self._watched, self.schedules)
        self._asking = Asking(self.crew, self.ledger, undo)
        self._members = Members(self.tree, self.crew, self.ledger, undo, self._watched, self.schedules)
        self.lineage = self._members.lineage
        self._side = FlowSide(
            self.options, self.crew, self.ledger, undo, self._watched, self._pace, self._asking, self._members, self.schedules
        )  # fmt: skip
        self._failures = Failures(self.crew, self.ledger.emit)
        self.intake = Intake(
            self.crew, self.ledger, self._watched, self._failures, self._side.offer_port, self._asked
        )  # fmt: skip
        for component in list(root._lit_walk()):
            self._members.adopt(component, self._side)

    # -- moving ------------------------------------------------------------------------------------------

    def begin(self, now: float) -> Outcome:
        """Before the first turn: the processes of works that start with the flow."""
        self.open_turn(now)
        for life in list(self.crew.lives.values()):
            if life.work.start_with_flow and not _needs_device(life.work):
                self.ledger.record.done.append(["start", life.name])
                self.crew.start(life)
        self.layouts.changed(now)
        self._show()
        return self.close_turn()

    def step(self, events: Iterable[Event], now: float) -> Outcome:
        """Take in what happened, let the flow run once if anything moved, and say what to record and what to do."""
        self.open_turn(now)
        taken, requests = False, []
        for event in events:
            if isinstance(event, (m.Asked, m.Edited)):
                requests.append(event)  # what its handler does is recorded as done, which comes after what came in
            else:
                taken = self.intake.take(event) or taken
        self.look_at_timers(now)
        for request in requests:
            taken = self.intake.take(request) or taken
        if taken:
            self.awake = True
            self._pace.happened()
        if self.awake and not self.done and not self.held:
            self._run_flow()
        if taken or self.ledger.record.done:
            self.layouts.changed(now)
        self._show()
        return self.close_turn()

    def _show(self) -> None:
        """Collect what the flows show, now and then."""
        if self.layouts.due is None or self.crew.now < self.layouts.due or self.done:
            return
        try:
            self._enter()
            for flow in self.layouts.look(self._members.flows(), self.crew.now):
                self.shown.showed(flow.name, "_layout", encode_change(("_layout",), m.SET, flow._layout))
            self.shown.ready(bool(self.root.ready))
        except Exception as error:
            self._flow_failed(error, "configure_layout")
        finally:
            self._theirs = False

    def snapshot(self) -> dict[str, Any]:
        """Everything there is between two turns, for `restore`; encode it before the next turn, it is not a copy."""
        return saving.snapshot(self)

    def snapshot_apart(self) -> tuple[dict[str, Any], dict[str, tuple[bool, Part]]]:
        """The same without what only grows, and what is new of that since the last time: see `restore.put_together`."""
        return saving.snapshot_apart(self)

    def show_all(self) -> Published:
        """Everything there is between two turns, for readers; from here on turns say what changed since."""
        return self.shown.whole(self.turn, self.crew.now, self.crew, self.root)

    def restore(
        self,
        kept: dict[str, Any] | None,
        records: Iterable[Record] = (),
        read: Callable[[bytes], Any] = decode,
        now: float = 0.0,
        alive: Container[str] = (),
        former: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Outcome:
        """Take up a former life of this app, before the first turn; what has to be done now is in the outcome.

        Args:
            kept: what `snapshot` gave; None: the records begin with the first turn.
            records: of the turns after it, in order.
            read: turns the bytes that came from a worker into a message.
            now: wall time.
            alive: places whose workers may still be there; every other work with something to do gets a new one.
            former: the attributes of each component's code when the run was saved, where that is known.

        Raises:
            StateMismatch: it is of a newer version, or a component cannot be made again.
        """
        return saving.restore(self, kept, records, read, now, alive, former or {})

    @property
    def wake_at(self) -> float | None:
        """The wall time of the next step even if nothing happens; None: not before something does; 0.0: at once."""
        if self.done:
            return None
        if self.awake and not self.held:
            return self._pace.next_at
        crew = self.crew
        soonest = None
        for time in (
            self.schedules.next_at, self._next_tick, crew.resting.next_at, crew.tell_waits_at, crew.alarms.next_at, self.layouts.due,
        ):  # fmt: skip
            if time is not None and (soonest is None or time < soonest):
                soonest = time
        return soonest

    def open_turn(self, now: float) -> None:
        """Whatever happens next is in a turn of its own."""
        self.turn += 1
        self.crew.now = now
        self.ledger.open(self.turn, now)
        self._side.open_turn()
        self._asking.open_turn()
        self.crew.story, self.crew.did = self.ledger.record.story, self.ledger.record.done

    def close_turn(self) -> Outcome:
        """The turn stands: what to record and what to do."""
        self._asking.close_turn()
        self._trial.stands()
        published = self.shown.take(self.turn, self.crew.now, self.crew)
        return self.ledger.close(self.crew.take_welcomed(), published)

    def look_at_timers(self, now: float) -> None:
        """What is due at this time."""
        if self.options.tick and (self._next_tick is None or now >= self._next_tick):
            self.awake = self.awake or self._next_tick is not None
            self._next_tick = now + self.options.tick
        if self.schedules.due(now):
            self.awake = True
        self.crew.tell_waits()
        if (alarm := self.crew.alarms.next_at) is not None and alarm <= now:
            known = self._failures.count
            self.crew.ring()
            self._failures.tell(known)
            self.awake = True
        self.crew.release_overdue()

    def _run_flow(self) -> None:
        self.awake = False
        self._pace.runs(self.crew.now)
        did = len(self.ledger.record.done)
        mark = self._trial.begin()
        try:
            self._enter()
            self.root.run()
        except Blocked:
            """Waiting for a work: the next event from it wakes the flow."""
        except AppExit as exit:
            self._exit(1 if exit.failed else 0, str(exit))
        except SystemExit as exit:
            self._exit(
                exit.code if isinstance(exit.code, int) else int(exit.code is not None),
                "" if isinstance(exit.code, int) else str(exit.code or ""),
            )
        except KeyboardInterrupt:
            self._trial.take_back(mark)
            raise
        except BaseException as error:
            self._trial.take_back(mark)
            self._flow_failed(error)
        finally:
            self._theirs = False
        try:
            self._watched.look(self._side.moved)
        except CannotKeep as error:
            self._trial.take_back(mark)
            self._flow_failed(error)
        moved = len(self.ledger.record.done) > did
        self.awake = self.awake or moved
        self._pace.ran(moved)
        fatal = self._failures.take_fatal()
        if fatal is not None and not self.done:
            text = f"The app ends because {fatal.name} failed. Make it with raise_exception=False to go on."
            self._exit(1, text, work=fatal.name)

    def _flow_failed(self, error: BaseException, what: str = "run") -> None:
        flow = deepest(error, LightningFlow) or self.root
        text = f"{user_traceback(error)}\nThe {what} of {flow.name} ({type(flow).__name__}) failed: the app ends."
        self._exit(1, text, error)

    def _exit(self, code: int, message: str = "", error: BaseException | None = None, work: str = "") -> None:
        self.done, self.awake = True, False
        self.ledger.record.done.append(["ended", code])
        self.ledger.emit(m.Exit(code, message, error, work))

    def _do(self, event: m.Asked | m.Edited) -> Any:
        if isinstance(event, m.Edited):
            return self._edit(event)
        if event.component not in self.tree:
            raise NotAttached(f"The app has no component {event.component!r}, so its {event.method} cannot be called.")
        value = getattr(self.tree[event.component], event.method)(*event.args, **event.kwargs)
        return self.options.finish(value) if isinstance(value, Coroutine) else value

    def _edit(self, event: m.Edited) -> int:
        """The turn in which it was done."""
        if event.seen is not None:
            for name in dict.fromkeys(edit.component for edit in event.edits):
                if self.shown.changed_since(name, event.seen):
                    raise OutOfDate(f"{name} has changed since the version that this change goes by: read it again.")
        for edit in event.edits:
            edits.make(self.tree, edit)
        self.held = self.held and event.stage != AppStage.RUNNING
        return self.turn

    def _asked(self, event: m.Asked | m.Edited) -> bool:
        mark, self._asking.handling = self._trial.begin(), True
        try:
            self._enter()
            value = self._do(event)
            value = plain(value)  # read by another thread, while the flow goes on
        except AppExit as exit:
            self.ledger.emit(m.Reply(event.id))
            self._exit(1 if exit.failed else 0, str(exit))
        except KeyboardInterrupt:
            self._trial.take_back(mark)
            raise
        except BaseException as error:
            self._trial.take_back(mark)
            self.ledger.emit(m.Reply(event.id, error=error))
        else:
            self.ledger.emit(m.Reply(event.id, value))
        finally:
            self._asking.handling = self._theirs = False
        return True

    # -- ending ------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """In a signal's handler, on the flow's thread: end the turn under way at once if users' code runs, else where it would.

        Raises:
            KeyboardInterrupt: out of `step`; then `cut_short`.
        """
        self._cut = True
        if self._theirs:
            raise KeyboardInterrupt

    def _enter(self) -> None:
        """Users' code is next; whoever calls this says when it is over."""
        self._theirs = True
        if self._cut:
            raise KeyboardInterrupt

    def cut_short(self) -> Outcome:
        """After an interrupted `step`: what had come in stands, what the flow was doing does not."""
        return self.close_turn()

    def absorb(self, events: Iterable[Event], now: float, why: str = "the app has ended") -> Outcome:
        """After the end: take in what works still say, without running the flow.

        A call that the end has cut short stays as it was, whatever its work says of it: it is made again where the app is taken up.
        """
        self.open_turn(now)
        self.take_last(events)
        if self.ledger.record.taken:
            self.ledger.record.done.insert(0, ["ending", why])
        return self.close_turn()

    def take_last(self, events: Iterable[Event]) -> None:
        """In a turn after the end."""
        self.crew.ending = True
        for event in events:
            self.intake.take_last(event)
        self.crew.ending = False
        self.crew.failed = []

    def finish(self, now: float) -> None:
        """The app has ended: works that were not stopped are now, for whoever looks at them."""
        self.open_turn(now)
        for life in self.crew.lives.values():
            statuses = life.statuses()
            if not statuses or statuses[-1].stage != Stage.STOPPED:
                life.bare = [*statuses, WorkStatus(stage=Stage.STOPPED, timestamp=now)]


def _roll_back(life: Life, name: str, value: Any) -> None:
    """A new attempt begins: what the one before it wrote goes."""
    setattr(life.work, name, value)


def _needs_device(work: LightningWork) -> bool:
    compute = work.cloud_compute
    return bool(compute.requirement.devices or compute.wish)


__all__ = ["Coordinator", "Options"]
