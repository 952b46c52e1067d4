"""The deterministic centre: events in, one turn of the root flow, a record and effects out.  No clock, thread, file or socket."""

from __future__ import annotations

import pickle
import types
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..base import messages as m
from ..base.encoding import decode, encode, encode_change
from ..base.errors import AppExit, Blocked, CannotSend, NotAttached, WrongPlace
from ..base.messages import Change, Effect, Event, Outcome, Record
from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus
from ..base.traces import deepest, place_in_user_code, user_traceback
from ..model.binding import DEPARTED
from ..model.component import Component
from ..model.flow import LightningFlow
from ..model.retry import Policy
from ..model.work import LightningWork
from . import restore as saving
from . import undo as undoing
from .calls import Call
from .crew import Crew
from .keys import Keys
from .layouts import Layouts
from .life import ATTACHED, NOWHERE, Life
from .lineage import Lineage
from .made import made
from .timers import Schedules, schedule_key

WARN_AFTER = 100
WATCHED = 65536  # bytes up to which values that change without telling us are compared
TOO_BIG = b"\xc1"  # in the place of a longer encoding; never a valid one


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the coordinator is told of the settings, and the few things of the outside that it may ask for.

    Attributes:
        tick: seconds between wakes of the flow without a reason; None: never.
        pace_after, pace_fastest, pace_slowest: see `base.settings`.
        history: settled calls kept per work.
        free_port: hands out a port.
        thread: identifies the current thread.
    """

    tick: float | None = None
    pace_after: int = 100
    pace_fastest: float = 0.001
    pace_slowest: float = 0.1
    history: int = 1000
    lost_limit: int = 5
    strict: bool = False
    free_port: Callable[[], int] = lambda: 0
    thread: Callable[[], int] = lambda: 0


class Coordinator:
    """Holds the component tree, its calls and timers; `step` is the only way to move it.

    Args:
        root: the root flow; it and everything below is bound to this coordinator.
    """

    context = "flow"

    def __init__(self, root: LightningFlow, options: Options | None = None) -> None:
        self.root, self.options = root, options or Options()
        self.tree: dict[str, Component] = {}
        self.crew = Crew(self._emit, self.options.history, self.options.lost_limit)
        self.crew.roll_back = self._roll_back
        self.schedules = Schedules()
        self.lineage = Lineage(self.tree)
        self.layouts = Layouts()
        self.flows: dict[str, LightningFlow] = {}
        self.keys = Keys(self._warn_key)
        self.turn = 0
        self.awake = True  # the flow has reason to run again
        self.done = False
        self.blocked = False
        self._effects: list[Effect] = []
        self._record = Record(0, 0.0)
        self._moved_works: dict[str, Life] = {}
        self._watched: dict[tuple[str, str], bytes] = {}
        self._self_made = 0
        self._last_turn = 0.0
        self._next_tick: float | None = None
        self._culprit = ""
        self._undo = undoing.Undo(self.crew.places)
        self._spoken: dict[str, Call | None] = {}  # works whose status is of another call now, and of which it was
        self._handling = False
        self._thread = self.options.thread()
        for component in list(root._lit_walk()):
            self._adopt(component)

    # -- moving ------------------------------------------------------------------------------------------

    def begin(self, now: float) -> Outcome:
        """Before the first turn: the processes of works that start with the flow."""
        self._open_turn(now)
        for life in list(self.crew.lives.values()):
            if life.work.start_with_flow and not _needs_device(life.work):
                self._record.done.append(["start", life.name])
                self.crew.start(life)
        self.layouts.changed(now)
        self._show()
        return self._close_turn()

    def step(self, events: Iterable[Event], now: float) -> Outcome:
        """Take in what happened, let the flow run once if anything moved, and say what to record and what to do."""
        self._open_turn(now)
        taken = False
        for event in events:
            taken = self._take(event) or taken
        self._look_at_timers(now)
        if taken:
            self.awake, self._self_made = True, 0
        if self.awake and not self.done:
            self._run_flow()
        if taken or self._record.done:
            self.layouts.changed(now)
        self._show()
        return self._close_turn()

    def _show(self) -> None:
        """Collect what the flows show, now and then."""
        if self.layouts.due is None or self.crew.now < self.layouts.due or self.done:
            return
        self.flows = {name: flow for name, flow in self.flows.items() if self.tree.get(name) is flow}
        try:
            self.layouts.look(self.flows.values(), self.crew.now)
        except Exception as error:
            self._flow_failed(error, "configure_layout")

    def snapshot(self) -> dict[str, Any]:
        """Everything there is between two turns, for `restore`; encode it before the next turn, it is not a copy."""
        return saving.snapshot(self)

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
        if self.awake:
            over = self._self_made - self.options.pace_after
            return 0.0 if over <= 0 else self._last_turn + self._pause(over)
        idle = self.crew.release_since() if self._idle_matters else None
        times = [
            self.schedules.next_at,
            self._next_tick,
            idle,
            self.crew.tell_waits_at,
            self.crew.alarms.next_at,
            self.layouts.due,
        ]
        return min((time for time in times if time is not None), default=None)

    def _pause(self, over: int) -> float:
        return float(min(self.options.pace_slowest, self.options.pace_fastest * 2 ** min(over / 100, 30)))

    @property
    def _idle_matters(self) -> bool:
        return any(getattr(life.work.cloud_compute, "idle_timeout", None) for life in self.crew.lives.values())

    def _open_turn(self, now: float) -> None:
        self.turn += 1
        self._thread = self.options.thread()
        self._effects, self.crew.now, self.blocked = [], now, False
        self._record = Record(self.turn, now, [], [], [], {})
        self.crew.story, self.crew.did = self._record.story, self._record.done

    def _close_turn(self) -> Outcome:
        self._note_spoken()
        self._undo.begin()  # and let go of what was replaced
        self._effects = list(self._with_changes())
        self._record.timers.update(self._settled())
        return Outcome(self._record, self._effects)

    def _with_changes(self) -> Iterator[Effect]:
        """The turn's effects, and what the flow changed: behind what was said to a work before, in front of its next call."""
        for life, state in self.crew.take_welcomed():
            state.update(life.work._lit_values())
            life.mirror.forget_outgoing()
        changes = {life.place: life.take_changes() for life in self._moved_works.values()}
        self._moved_works.clear()
        for effect in self._effects:
            if isinstance(effect, m.Send) and isinstance(effect.message, m.Run):
                yield from changes.pop(effect.place, ())
            yield effect
        for rest in changes.values():
            yield from rest

    def _look_at_timers(self, now: float) -> None:
        if self.options.tick and (self._next_tick is None or now >= self._next_tick):
            self.awake = self.awake or self._next_tick is not None
            self._next_tick = now + self.options.tick
        if self.schedules.due(now):
            self.awake = True
        self.crew.tell_waits()
        if (alarm := self.crew.alarms.next_at) is not None and alarm <= now:
            known = len(self.crew.failed)
            self.crew.ring()
            self._tell_failures(known)
            self.awake = True
        if self._idle_matters:
            self.crew.release_overdue()

    def _run_flow(self) -> None:
        self.awake = False
        self._last_turn = self.crew.now
        did = len(self._record.done)
        mark = self._begin_undo()
        try:
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
            raise
        except BaseException as error:
            self._take_back(mark)
            self._flow_failed(error)
        self._check_watched()
        self._after_run(len(self._record.done) > did)
        self._check_failures()

    def _after_run(self, moved: bool) -> None:
        if not moved:
            self._self_made = 0
            return
        self.awake = True
        self._self_made += 1
        if self._self_made == WARN_AFTER + 1 and self._culprit:
            self._emit(
                m.Say("warning", f"The flow has run {WARN_AFTER} times in a row because it changes its own state: {self._culprit}. "
                      "Change state only when something happened, or it will be paced down to ten turns a second.", once=True)
            )  # fmt: skip

    def _begin_undo(self) -> tuple[int, int, int]:
        """From here on all or nothing; returns how far record and effects were."""
        self._undo.begin()
        self._record.timers.update(self._settled())
        return len(self._record.done), len(self._record.story), len(self._effects)

    def _take_back(self, mark: tuple[int, int, int]) -> None:
        """What the flow's side did since `mark` did not happen."""
        self._undo.take_back()
        self._unwatch()
        self.schedules.undo()
        done, story, effects = mark
        del self._record.done[done:], self._record.story[story:], self._effects[effects:]

    def _settled(self) -> dict[str, float]:
        return {key: due for key, due in self.schedules.settle().items() if due is not None}

    def _flow_failed(self, error: BaseException, what: str = "run") -> None:
        flow = deepest(error, LightningFlow) or self.root
        self._exit(
            1, f"{user_traceback(error)}\nThe {what} of {flow.name} ({type(flow).__name__}) failed: the app ends."
        )

    def _exit(self, code: int, message: str = "") -> None:
        self.done, self.awake = True, False
        self._record.done.append(["ended", code])
        self._emit(m.Exit(code, message))

    def _emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    # -- failures ----------------------------------------------------------------------------------------

    def _check_failures(self) -> None:
        """The flow had its turn to see them: those that it did not ask for again end the app, if their works say so."""
        failed, self.crew.failed = self.crew.failed, []
        for life, call in failed:
            if call is not None and call.stage != Stage.FAILED:
                continue
            if life.work.raise_exception and not self.done:
                self._exit(1, f"The app ends because {life.name} failed. Make it with raise_exception=False to go on.")

    def _tell_failures(self, known: int) -> None:
        for life, call in self.crew.failed[known:]:
            failure = call.failure if call is not None else None
            text = failure.message if failure is not None else (life.bare[-1].message if life.bare else "")
            what = f"{life.name} could not start."
            if call is not None:
                attempt = f", attempt {call.attempt}." if call.attempt else ", before it began."
                what = f"{life.name} failed: {describe(call)}{attempt}"
            self._emit(m.Say("error", f"{(text or '').rstrip()}\n{what}" if text else what))

    # -- what happened -----------------------------------------------------------------------------------

    def _take(self, event: Event) -> bool:
        """Take in one event; whether the flow should see it."""
        if isinstance(event, m.Said):
            return self._heard(event)
        if not isinstance(event, m.Asked):
            self._record.taken.append(event)
        handler = HANDLERS[type(event)]
        before = len(self.crew.failed)
        woken = bool(handler(self, event))
        if len(self.crew.failed) > before:
            self._tell_failures(before)
        return woken

    def _heard(self, event: m.Said) -> bool:
        life = self.crew.places.get(event.place)
        if life is None or event.offset <= life.mirror.heard:
            return False
        life.mirror.heard = event.offset
        self._record.taken.append(m.Heard(event.place, event.offset, event.raw))
        message = event.message
        if type(message) is m.Changed:
            if life.tracking:
                for change in message.changes:
                    life.remember(change.path[0])
            for whole in life.mirror.absorb(life.work, message):
                self._emit(m.Send(event.place, whole))
            for attribute in {change.path[0] for change in message.changes} & life.work._lit_opaque:
                self._watch(life.work, attribute)  # the work's own news, not the flow's
            if life.held and not life.mirror.asking:
                self._release(life)
            return True
        life.held.append(message)
        return False if life.mirror.asking else self._release(life)

    def _release(self, life: Life) -> bool:
        """Take in what a worker said of its calls, once all that it had done before is here."""
        held, life.held = life.held, []
        for message in held:
            self._word(life, message)
        return True

    def _word(self, life: Life, message: Any) -> None:
        before = len(self.crew.failed)
        if isinstance(message, m.Moved):
            self.crew.call_moved(life, message)
        elif isinstance(message, m.Ready):
            self.crew.ready(life, message)
        elif isinstance(message, m.Checkpoint):
            self.crew.checkpointed(life, message)
        if len(self.crew.failed) > before:
            self._tell_failures(before)

    def _exited(self, event: m.Exited) -> bool:
        life = self.crew.places.get(event.place)
        if life is not None:
            self._release(life)
        return self.crew.exited(event)

    def _started(self, event: m.Started) -> bool:
        life = self.crew.places.get(event.place)
        if life is not None:
            life.pid, life.began = event.pid, event.began
        return False

    def _attached(self, event: m.Attached) -> bool:
        life = self.crew.places.get(event.place)
        if life is not None:
            self._offer_port(life)
        return self.crew.attached(event)

    def _roll_back(self, life: Life, name: str, value: Any) -> None:
        """A new attempt begins: what the one before it wrote goes."""
        setattr(life.work, name, value)

    def _got(self, event: m.Got) -> bool:
        life = self.crew.places.get(event.place)
        if life is not None:
            life.mirror.received(event.version)
        return False

    def _asked(self, event: m.Asked) -> bool:
        mark, self._handling = self._begin_undo(), True
        try:
            if event.component not in self.tree:
                raise NotAttached(
                    f"The app has no component {event.component!r}, so its {event.method} cannot be called."
                )
            value = getattr(self.tree[event.component], event.method)(*event.args, **event.kwargs)
        except AppExit as exit:
            self._emit(m.Reply(event.id))
            self._exit(1 if exit.failed else 0, str(exit))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._take_back(mark)
            self._emit(m.Reply(event.id, error=error))
        else:
            self._emit(m.Reply(event.id, value))
        finally:
            self._handling = False
        return True

    # -- the binding of every component in the host --------------------------------------------------------

    def _adopt(self, component: Component) -> None:
        name = component.name
        component._lit_name, component._lit_binding = name, self
        self.tree[name] = component
        self.lineage.knows(component)
        for attribute in component._lit_opaque:
            self._watched[name, attribute] = b""
        if isinstance(component, LightningFlow):
            self.flows[name] = component
        elif isinstance(component, LightningWork):
            self.crew.hire(component)

    def attached(self, child: Component) -> None:
        """A component made while the app runs came into the tree."""
        came = list(child._lit_walk())
        departed = {component.name: self.crew.departed(component.name) for component in came}
        self._undo.later(lambda: self._expel(child, came, departed))
        self.lineage.came(came)
        for component in came:
            self._adopt(component)
        self._record.done += [made(component) for component in came]

    def detached(self, child: Component) -> None:
        """A component left the tree, with everything below it."""
        self._undo.later(self._way_back(child))
        self._record.done.append(["gone", child.name])
        for component in list(child._lit_walk()):
            self.tree.pop(component.name, None)
            self.schedules.drop(component.name)
            if isinstance(component, LightningWork):
                self.crew.dismiss(component)
            component._lit_binding, component._lit_name = DEPARTED, ""

    def _expel(self, child: Component, came: list[Component], departed: dict[str, int]) -> None:
        """Components that came did not come after all."""
        for component in came:
            name = component._lit_name
            self.tree.pop(name, None)
            if isinstance(component, LightningWork):
                self.crew.forget(name, departed[name])
            component._lit_binding, component._lit_name = DEPARTED, ""
        undoing.take_off(child)

    def _way_back(self, child: Component) -> Callable[[], None]:
        """Puts components that are about to leave where they are now."""
        parent, key = child._lit_parent, child._lit_key
        index = (
            next((n for n, item in enumerate(list.__iter__(parent)) if item is child), 0)
            if isinstance(parent, list)
            else 0
        )
        flow = parent._lit_parent if not isinstance(parent, Component) else None
        there = [(component, component.name, self.crew.lives.get(component.name)) for component in child._lit_walk()]
        new = [component for component, _, _ in there if self.lineage.is_new(component)]

        def back() -> None:
            if flow is not None and flow._lit_children.get(parent._lit_key) is not parent:
                undoing.hang_structure_again(parent, flow, parent._lit_key)
            undoing.hang_again(child, parent, key, index)
            for component, name, life in there:
                component._lit_binding, component._lit_name, self.tree[name] = self, name, component
                self._watched.update({(name, attribute): b"" for attribute in component._lit_opaque})
                if life is not None:
                    self.crew.rehire(name, life)
            self.lineage.came(new)

        return back

    def check_thread(self, component: Component) -> None:
        """State may be assigned only on the flow's thread."""
        if self.options.thread() != self._thread:
            raise WrongPlace(
                f"The state of {component.name} can be set only on the flow's thread. From another thread or process use AppState()."
            )

    def moved(self, component: Component, path: tuple[Any, ...], op: int, value: Any, old: Any) -> None:
        """The flow's side changed state: recorded, and said to the work concerned at the end of the turn."""
        data = encode_change(path, op, value)
        name = component.name
        self._record.done.append(["set", name, data])
        if self._self_made >= WARN_AFTER - 1:
            self._culprit = f"{name}.{'.'.join(map(str, path))} at {place_in_user_code()}"
        life = self.crew.lives.get(name)
        if life is not None:
            life.mirror.note(path, msgspec.Raw(data))
            self._moved_works[name] = life
        self._undo.changed(component, path, op, value, old, life)
        if component._lit_opaque and path[0] in component._lit_opaque:
            known = self._watched.get((name, path[0]), b"")
            self._undo.later(lambda: self._watched.__setitem__((name, path[0]), known))
            self._watch(component, path[0])

    def _check_watched(self) -> None:
        """Values that change without telling us are compared by their encoding, up to 64 KiB."""
        for (name, attribute), known in list(self._watched.items()):
            component = self.tree.get(name)
            if component is None or attribute not in component._lit_opaque:
                del self._watched[name, attribute]
                continue
            if known == TOO_BIG:
                continue
            value = component.__dict__.get(attribute)
            data = encode(value)
            if known and data != known:
                self.moved(component, (attribute,), m.SET, value, value)
            self._watched[name, attribute] = data if len(data) <= WATCHED else TOO_BIG

    def _watch(self, component: Component, attribute: str) -> None:
        """What is there now is known: from here on only what happens inside is news."""
        data = encode(component.__dict__.get(attribute))
        self._watched[component.name, attribute] = data if len(data) <= WATCHED else TOO_BIG

    def _unwatch(self) -> None:
        """What changed in a turn that is taken back, without telling us, is what it was."""
        for (name, attribute), known in list(self._watched.items()):
            component = self.tree.get(name)
            if component is None or attribute not in component._lit_opaque:
                del self._watched[name, attribute]
            elif known not in (b"", TOO_BIG) and encode(component.__dict__.get(attribute)) != known:
                component._lit_apply(Change((attribute,), m.SET, decode(known)))

    def call(
        self,
        work: LightningWork,
        plain: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        policy: Policy | None = None,
    ) -> Any:
        """A flow asks for a call; see the table in `semantics`: known or new, parallel or not, cached or not."""
        life = self._life(work)
        try:
            key = self.keys.of(args, kwargs)
        except CannotSend as error:
            raise CannotSend(f"{work.name}.run{describe_arguments(args, kwargs)}: {error}.") from None
        found = life.calls.find(key)
        if self.blocked:
            return self._after_blocked(life, key)
        if self._to_open(life, key):
            self._undo.touching(life, key)
            self.crew.open(life, key, dump_arguments(work, args, kwargs), policy)
        elif (
            found is not None
            and life.calls.latest is not found
            and not (found.stage == Stage.SUCCEEDED and work.cache_calls)
        ):
            self._speak_of(life, found)
        if work.parallel or (life.calls.done(key) and work.cache_calls):
            return life.calls.value(key) if life.calls.done(key) else None
        return self._block()

    def _speak_of(self, life: Life, call: Call) -> None:
        """It was asked for again, so the status is its status.  Only where a turn ends with another one is that news."""
        before = life.calls.latest
        self._spoken.setdefault(life.name, before)
        self._undo.later(lambda: setattr(life.calls, "latest", before))
        life.calls.latest = call

    def _note_spoken(self) -> None:
        for name, before in self._spoken.items():
            life = self.crew.lives.get(name)
            if life is not None and life.calls.latest is not None and life.calls.latest is not before:
                self._record.done.append(["latest", name, life.calls.latest.key])
        self._spoken.clear()

    def _block(self) -> None:
        """The turn ends here, a handler goes on."""
        if not self._handling:
            self.blocked = True
            raise Blocked

    def _to_open(self, life: Life, key: str) -> bool:
        call = life.calls.find(key)
        if call is None:
            return not (life.calls.done(key) and life.work.cache_calls)
        return call.stage == Stage.SUCCEEDED and not life.work.cache_calls

    def _after_blocked(self, life: Life, key: str) -> Any:
        """Somebody caught `Blocked`: nothing more is opened in this turn."""
        self._emit(
            m.Say("warning", f"A call of {life.name} at {place_in_user_code()} was not made: this turn already waits for another "
                  "work. Don't catch BaseException, or use a bare `except:`, around a call that waits.", once=True)
        )  # fmt: skip
        if life.calls.done(key) or life.work.parallel:
            return life.calls.value(key)
        raise Blocked

    def _warn_key(self, text: str) -> None:
        self._emit(m.Say("warning", text, once=True))

    def _life(self, work: LightningWork) -> Life:
        life = self.crew.lives.get(work.name)
        if life is None or life.work is not work:
            raise NotAttached(
                f"Failed to create process for {type(work).__name__}. Make sure to set this work as an attribute of a "
                "`LightningFlow` before calling the run method."
            )
        return life

    def start(self, work: LightningWork) -> None:
        """Start the process; a work that is not parallel ends the turn until it has started."""
        life = self._life(work)
        if life.phase == ATTACHED and life.ready:
            return
        if not self.blocked:
            if life.phase == NOWHERE and not life.wanted:
                self._record.done.append(["start", work.name])
            self._undo.touching(life)
            self.crew.start(life)
        if not work.parallel:
            self._block()

    def stop(self, work: LightningWork, delete: bool = False) -> None:
        """The status is "stopped" at once."""
        life = self._life(work)
        self._undo.touching(life)
        if self.crew.stop(life, delete):
            self._record.done.append(["stop", work.name, delete])

    def retry(self, work: LightningWork) -> None:
        """Ask again for the last call if it failed or was stopped."""
        life = self._life(work)
        self._undo.touching(life)
        self.crew.retry(life)

    def statuses(self, work: LightningWork) -> list[WorkStatus]:
        """Of the call asked for last."""
        life = self.crew.lives.get(work.name)
        return life.statuses() if life is not None else []

    def calls(self, component: Component) -> dict[str, Any]:
        """The `calls` of `state`."""
        life = self.crew.lives.get(component.name)
        if life is not None:
            return life.calls.shape()
        return {}

    def attempt(self, work: LightningWork) -> int:
        """The number of the last delivery of a call of this work."""
        life = self.crew.lives.get(work.name)
        return life.calls.attempts if life is not None else 0

    def checkpoint(self, work: LightningWork, values: dict[str, Any]) -> None:
        """Only the work itself, while it runs, has something to keep."""
        raise WrongPlace(f"{work.name}.checkpoint() is for the work's own run, not for its flow.")

    def last_checkpoint(self, work: LightningWork) -> dict[str, Any] | None:
        """What an attempt of the call asked for last left for the next."""
        life = self.crew.lives.get(work.name)
        return life.calls.latest.checkpoint if life is not None and life.calls.latest is not None else None

    def successes(self, work: LightningWork) -> int:
        """How many calls of this work have succeeded."""
        life = self.crew.lives.get(work.name)
        return life.calls.successes if life is not None else 0

    def timeouts(self, work: LightningWork) -> int:
        """How often the call asked for last took too long."""
        life = self.crew.lives.get(work.name)
        return life.calls.latest.timeouts if life is not None and life.calls.latest is not None else 0

    def port(self, work: LightningWork) -> int:
        """The port handed out to this work: the same one for whoever reads it first."""
        return self._offer_port(self._life(work))

    def _offer_port(self, life: Life) -> int:
        if not life.offered_port:
            life.offered_port = self.options.free_port()
            self._record.done.append(["port", life.name, life.offered_port])
        return life.offered_port

    def schedule(
        self, flow: LightningFlow, code: types.CodeType, line: int, user_key: str | None, pattern: str, start: Any
    ) -> bool:
        """True at once the first time, then once per due time; the turn that reaches the line takes it."""
        key = schedule_key(flow.name, pattern, user_key, code, line, type(flow))
        return self.schedules.ask(key, pattern, start, self.crew.now)

    # -- ending ------------------------------------------------------------------------------------------

    def absorb(self, events: Iterable[Event], now: float) -> None:
        """After the end: take in what works still say, without running the flow."""
        self._open_turn(now)
        self.crew.now = now
        for event in events:
            if isinstance(event, m.Said):
                self._heard(event)
        self.crew.failed = []

    def finish(self, now: float) -> None:
        """The app has ended: works that were not stopped are now, for whoever looks at them."""
        self._open_turn(now)
        for life in self.crew.lives.values():
            statuses = life.statuses()
            if not statuses or statuses[-1].stage != Stage.STOPPED:
                life.bare = [*statuses, WorkStatus(stage=Stage.STOPPED, timestamp=now)]


HANDLERS: dict[type, Callable[[Coordinator, Any], bool | None]] = {
    m.Attached: Coordinator._attached,
    m.Detached: lambda self, event: False,
    m.Started: Coordinator._started,
    m.Waiting: lambda self, event: self.crew.waiting(event),
    m.Refused: lambda self, event: self.crew.refused(event),
    m.Exited: Coordinator._exited,
    m.Got: Coordinator._got,
    m.EngineClosed: lambda self, event: False,
    m.Asked: Coordinator._asked,
}


def dump_arguments(work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Arguments as they are now, on their way to another process.

    Raises:
        CannotSend: something in them does not pickle.
    """
    try:
        return pickle.dumps((args, kwargs), protocol=5)
    except Exception as error:
        shown = describe_arguments(args, kwargs)
        raise CannotSend(f"The arguments of {work.name}.run{shown} cannot be sent to its process: {error}.") from None


def describe_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """ "(0.1, epochs=3)", shortened."""
    try:
        text = ", ".join([*(repr(a) for a in args), *(f"{k}={v!r}" for k, v in kwargs.items())])
    except Exception:
        text = "…"
    return f"({text if len(text) <= 120 else text[:117] + '…'})"


def describe(call: Any) -> str:
    """ "run(lr=0.1)"; the arguments are read back for it."""
    try:
        args, kwargs = pickle.loads(call.arguments)
    except Exception:
        return "run(…)"
    return "run" + describe_arguments(args, kwargs)


def _needs_device(work: LightningWork) -> bool:
    compute = work.cloud_compute
    return bool(compute.requirement.devices or compute.wish)


__all__ = ["Coordinator", "Options"]
