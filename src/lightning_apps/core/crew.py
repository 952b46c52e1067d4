"""The works of an app: which calls are asked for, which processes that needs, and what follows from what they report.

Turns events of engines and workers into moves of calls, and both into effects.  Knows nothing of the flow's turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..base import messages as m
from ..base.messages import Effect, Failure
from ..base.status import WorkFailureReasons as Why
from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus, WorkStopReasons
from ..base.traces import how_it_ended
from ..model.retry import Policy
from ..model.work import LightningWork
from .alarms import Alarms
from .calls import Call
from .life import ATTACHED, LEAVING, NOWHERE, PLACING, Life
from .resting import Resting

RETRIED = frozenset({Why.USER_EXCEPTION, Why.DIED, Why.TIMEOUT})
LONG = 3.0  # seconds of waiting for a place after which people are told what for


class Crew:
    """All works by name, and by the place where each is."""

    def __init__(self, emit: Callable[[Effect], None], history: int, lost_limit: int) -> None:
        self.lives: dict[str, Life] = {}
        self.places: dict[str, Life] = {}
        self.now = 0.0
        self.tell_waits_at: float | None = None
        self.failed: list[tuple[Life, Call | None]] = []  # failures since they were last looked at
        self.ending = False  # the app is: nothing is begun, and what is cut short stays as it was
        self.story: list[Any] = []  # what the record tells of calls
        self.did: list[Any] = []  # what it keeps of what the flow asked for
        self._emit, self._history, self._lost_limit = emit, history, lost_limit
        self.alarms, self.resting = Alarms(), Resting()
        self.stirred: set[str] = set()  # works whose statuses may be others now
        self.roll_back: Callable[[Life, str, Any], None] = lambda life, name, value: None
        self._waiting: dict[str, Life] = {}
        self._welcomed: list[tuple[Life, dict[str, Any]]] = []
        self._departed: dict[str, int] = {}  # names once used, and how many placements they had

    def take_welcomed(self) -> list[tuple[Life, dict[str, Any]]]:
        """Works that were welcomed since this was last asked, and the state to fill in for each."""
        welcomed, self._welcomed = self._welcomed, []
        return welcomed

    def dump(self) -> dict[str, Any]:
        """What is not said of the single works."""
        return {"departed": dict(self._departed), "waiting": list(self._waiting), "alarms": self.alarms.dump()}

    def load(self, dumped: dict[str, Any]) -> None:
        """Take up what `dump` gave; the works have taken up theirs."""
        self._departed.update(dumped["departed"])
        self._waiting = {name: self.lives[name] for name in dumped["waiting"] if name in self.lives}
        for name, at in dumped["alarms"].items():
            self.alarms.set(name, at)
        self.places.clear()  # in place: others hold this very dictionary
        self.places.update({life.place: life for life in self.lives.values() if life.place})
        for life in self.lives.values():
            self.resting.note(life)

    # -- coming and going --------------------------------------------------------------------------------

    def hire(self, work: LightningWork) -> Life:
        """A work came into the tree."""
        life = self.lives[work.name] = Life(work, self._history)
        self.stirred.add(work.name)
        life.placements = self._departed.pop(work.name, 0)
        return life

    def dismiss(self, work: LightningWork) -> None:
        """A work left the tree: its process ends, what it says is ignored."""
        life = self.lives.pop(work.name, None)
        if life is None:
            return
        if life.placements:
            self._departed[work.name] = life.placements
        self.places.pop(life.place, None)
        self.resting.forget(work.name)
        if life.phase in (PLACING, ATTACHED):
            self._emit(m.Stop(life.place, delete=True))

    def departed(self, name: str) -> int:
        """How many placements a work of this name has had that left the tree."""
        return self._departed.get(name, 0)

    def forget(self, name: str, departed: int) -> None:
        """A work did not come after all."""
        life = self.lives.pop(name, None)
        if life is not None:
            self.places.pop(life.place, None)
            self.resting.forget(name)
        if departed:
            self._departed[name] = departed

    def rehire(self, name: str, life: Life) -> None:
        """A work did not leave after all."""
        self.lives[name] = life
        self._departed.pop(name, None)
        self.resting.note(life)
        if life.place:
            self.places[life.place] = life

    # -- asked for by the flow ---------------------------------------------------------------------------

    def open(self, life: Life, key: str, arguments: bytes, policy: Policy | None = None) -> Call:
        """A call is made: queued, and a process is seen to."""
        call = life.calls.open(key, arguments, self.now, policy or life.work._lit_options.get("policy") or Policy())
        self.did.append(["opened", life.name, key, arguments, msgspec.structs.astuple(call.policy)])
        self.story.append(["opened", life.name, call.ordinal, key])
        life.bare = []
        self.see_to(life)
        return call

    def start(self, life: Life) -> None:
        """A process is wanted, call or not."""
        if life.phase in (NOWHERE, LEAVING) and not life.wanted:
            life.wanted = True
            life.bare = [WorkStatus(stage=Stage.PENDING, timestamp=self.now, reason="start")]
            self.see_to(life)

    def stop(self, life: Life, delete: bool = False) -> bool:
        """End it: calls that have not settled are stopped; False if there is nothing to stop."""
        if not life.busy and life.phase in (NOWHERE, LEAVING) and not life.wanted:
            return False
        for call in life.calls.unsettled():
            life.calls.settle(call)
            self._move(life, call, Stage.STOPPED, reason="pending")
        latest = life.calls.latest
        if latest is None or latest.stage != Stage.STOPPED:
            earlier = latest.statuses if latest is not None else life.bare
            status = WorkStatus(Stage.STOPPED, self.now, reason="pending", message="deleted" if delete else None)
            life.bare = [*earlier, status]
        life.wanted, life.delete = False, delete
        self._send_away(life, delete)
        return True

    def retry(self, life: Life) -> bool:
        """Make the call that was asked for last again, if it failed or was stopped."""
        latest = life.calls.latest
        if latest is None or latest.stage not in (Stage.FAILED, Stage.STOPPED):
            return False
        self.open(life, latest.key, latest.arguments)
        return True

    def see_to(self, life: Life) -> None:
        """Deliver the next call if there is a worker for it; have one placed if there is none."""
        if self.ending:
            return
        if life.phase == ATTACHED and not life.released:
            call = life.calls.next(self.now)
            if call is not None:
                self._deliver(life, call)
            life.idle_since = 0.0 if life.busy else (life.idle_since or self.now)
            self.resting.note(life)
        elif life.phase == NOWHERE and (life.wanted or life.due(self.now)):
            self.places[life.next_place()] = life
            self._emit(m.Place(life.name, life.place))

    def _deliver(self, life: Life, call: Call) -> None:
        """One attempt; it begins from the state its call began with."""
        base, life.base = life.base, {}
        for name, value in base.items():
            self.roll_back(life, name, value)
        self.story.append(["sent", life.name, call.ordinal, call.attempt])
        self._emit(m.Send(life.place, m.Run(call.ordinal, call.attempt, call.arguments, call.checkpoint)))

    def _send_away(self, life: Life, delete: bool = False) -> None:
        if life.phase in (PLACING, ATTACHED):
            life.phase = LEAVING
            self._emit(m.Stop(life.place, delete))

    # -- what happened: engines --------------------------------------------------------------------------

    def attached(self, event: m.Attached) -> bool:
        """A worker dialled in: it gets the whole state."""
        life = self.places.get(event.place)
        if life is None or life.phase == LEAVING:
            self._emit(m.Send(event.place, m.Rejected("this work was stopped meanwhile")))
            self._emit(m.Stop(event.place))
            return False
        life.phase, life.waits_for = ATTACHED, ()
        self._waiting.pop(life.name, None)
        if event.received:
            self._welcome_back(life, event)
            return True
        life.mirror.restart()
        state: dict[str, Any] = {}  # filled at the end of the turn: what the flow writes in it is in it
        self._welcomed.append((life, state))
        self._emit(m.Send(event.place, m.Welcome(0, life.mirror.version, state, life.mirror.heard, life.offered_port)))
        self._say_again(life, event.attempt)
        self.see_to(life)
        return True

    def _welcome_back(self, life: Life, event: m.Attached) -> None:
        """A worker that served an earlier host: it is told what it has missed, and keeps what it has."""
        mirror = life.mirror
        self._emit(m.Send(event.place, m.Welcome(0, mirror.version, {}, mirror.heard, life.offered_port, again=True)))
        mirror.received(event.received)
        for message in mirror.said:
            self._emit(m.Send(event.place, message))
        self._say_again(life, event.attempt)
        self.see_to(life)

    def _say_again(self, life: Life, attempt: int) -> None:
        """The order to run that was recorded, and never reached its worker, whose last one is `attempt`."""
        call = life.calls.active
        if call is not None and call.attempt > attempt:
            self._emit(m.Send(life.place, m.Run(call.ordinal, call.attempt, call.arguments, call.checkpoint)))

    def ready(self, life: Life, message: m.Ready) -> None:
        """`on_start` has run."""
        if self.ending and message.failure is not None:
            return
        if message.failure is not None:
            self._give_up(life, message.failure)
            self._send_away(life)
            return
        life.ready = True
        if life.calls.latest is None or life.bare:
            life.bare = [*life.bare, WorkStatus(stage=Stage.STARTED, timestamp=message.at)]
        self.see_to(life)

    def waiting(self, event: m.Waiting) -> bool:
        """The engine cannot place it yet: say so, and free what an idle work holds."""
        life = self.places.get(event.place)
        if life is None:
            return False
        if life.pending_reason != event.reason:
            self.tell_waits_at = min(self.tell_waits_at or self.now + LONG, self.now + LONG)
        life.waits_for, life.pending_reason = event.holders, event.reason
        self._waiting[life.name] = life
        for call in life.calls.unsettled()[:1]:
            self._move(life, call, Stage.PENDING, reason=event.reason)
        self._release_idle()
        return True

    def waits_no_more(self, life: Life) -> None:
        """It has no place that it could wait for."""
        self._waiting.pop(life.name, None)

    def tell_waits(self) -> None:
        """Who has waited for long is named, each reason once."""
        if self.tell_waits_at is None or self.now < self.tell_waits_at:
            return
        self.tell_waits_at = None
        for life in self._waiting.values():
            self._emit(m.Say("info", f"{life.pending_reason}.", once=True))

    def refused(self, event: m.Refused) -> bool:
        """The engine can never place it."""
        life = self.places.pop(event.place, None)
        if life is not None:
            life.gone()
            life.wanted = False
            self._waiting.pop(life.name, None)
            self._give_up(life, Failure(Why.REFUSED, event.reason))
        return life is not None

    def exited(self, event: m.Exited) -> bool:
        """A process is gone for certain; what was said before has been heard."""
        life = self.places.pop(event.place, None)
        if life is None:
            return False
        expected, was_ready = life.phase == LEAVING or life.released, life.ready
        life.gone()
        self._waiting.pop(life.name, None)
        if event.lost:
            self._lost(life)
        elif not expected:
            self._died(life, event, was_ready)
        life.wanted = life.wanted and life.bare[-1:] != [] and life.bare[-1].stage == Stage.PENDING
        self.see_to(life)
        return True

    def _died(self, life: Life, event: m.Exited, was_ready: bool) -> None:
        """A process ended by itself on a living machine: its call has failed."""
        ended = how_it_ended(event.code, event.signal)
        failure = Failure(Why.DIED, f"The process of {life.name} {ended}.", exit_code=event.code)
        call = life.calls.active
        if call is not None:
            self._fail(life, call, failure)
        elif not was_ready:
            self._give_up(life, Failure(Why.DIED, f"The process of {life.name} {ended} before it could take a call."))
        else:
            self._emit(m.Say("warning", f"The idle process of {life.name} {ended}; its next call starts another."))

    def _lost(self, life: Life) -> None:
        """It went away with its machine: the call is sent again, which is no retry."""
        call = life.calls.active
        if call is None:
            return
        call.lost += 1
        if call.lost > self._lost_limit:
            self._fail(life, call, Failure(Why.LOST, f"{life.name} was lost with its machine {call.lost} times."))
        else:
            life.calls.put_back(call, self.now, reason=f"lost with its machine ({call.lost} of {self._lost_limit})")

    # -- what happened: workers --------------------------------------------------------------------------

    def call_moved(self, life: Life, message: m.Moved) -> None:
        """A worker says where a call has got to; late words about an older attempt are ignored."""
        if self.ending and message.stage in (Stage.FAILED, Stage.STOPPED):
            return  # the end of the app cut it short: it is made again where the app is taken up
        call = life.calls.by_ordinal(message.ordinal)
        if call is None or not call.sent or message.attempt != call.attempt or life.calls.active is not call:
            return
        if message.stage == Stage.FAILED:
            self._fail(life, call, message.failure or Failure(Why.USER_EXCEPTION, ""), message.at)
        elif message.stage == Stage.SUCCEEDED:
            self._succeed(life, call, message)
        elif message.stage == Stage.STOPPED:
            self._preempted(life, call)
        else:
            self._move(life, call, message.stage, at=message.at)
            life.attempt_began(call)
            if call.policy.timeout is not None:
                call.deadline = self.now + call.policy.timeout
                self.alarms.set(life.name, call.deadline)
        if call.settled:
            self._release_idle()
            self.see_to(life)

    def _succeed(self, life: Life, call: Call, message: m.Moved) -> None:
        call.value, call.checkpoint, call.deadline = message.value, None, 0.0
        call.failures = call.timeouts = call.lost = 0
        life.base, life.tracking = {}, False
        life.calls.settle(call)
        life.calls.successes += 1
        self._move(life, call, Stage.SUCCEEDED, at=message.at)

    def checkpointed(self, life: Life, message: m.Checkpoint) -> None:
        """The attempt under way left something for the next."""
        call = life.calls.active
        if call is not None and call.ordinal == message.ordinal and call.attempt == message.attempt:
            call.checkpoint = message.values

    def _preempted(self, life: Life, call: Call) -> None:
        """SIGTERM came from outside: an interruptible work's call is made again elsewhere, another's is stopped."""
        life.phase, call.deadline = LEAVING, 0.0  # it ends by itself, and takes no other call
        if getattr(life.work.cloud_compute, "interruptible", False):
            life.calls.put_back(call, self.now, reason=WorkStopReasons.SIGTERM_SIGNAL_HANDLER)
            return
        life.calls.settle(call)
        self._move(life, call, Stage.STOPPED, reason=WorkStopReasons.SIGTERM_SIGNAL_HANDLER)

    def _fail(self, life: Life, call: Call, failure: Failure, at: float | None = None) -> None:
        """An attempt failed: it is made again after a pause while retries are left."""
        call.failure, call.deadline, life.tracking = failure, 0.0, False
        call.failures += 1
        if call.failures <= call.policy.retries and failure.reason in RETRIED:
            self._retry_later(life, call, failure)
            return
        life.calls.settle(call)
        self._move(life, call, Stage.FAILED, at=at, reason=failure.reason, message=failure.message)
        self.failed.append((life, call))

    def _retry_later(self, life: Life, call: Call, failure: Failure) -> None:
        pause = call.policy.backoff.pause(call.failures, f"{life.name}/{call.ordinal}")
        call.not_before = self.now + pause
        reason = f"retry in {pause:.3g} s"
        call.move(Stage.FAILED, self.now, failure.reason, failure.message)
        call.stage = Stage.RUNNING  # only the last failure settles it
        life.calls.put_back(call, self.now, reason=reason)
        self.story.append(["retry", life.name, call.ordinal, call.failures, call.not_before, failure.reason])
        self.alarms.set(life.name, call.not_before)
        times = f"{call.failures} of {call.policy.retries}"
        self._emit(
            m.Say(
                "warning",
                f"{failure.message.rstrip()}\n{life.name}: attempt {call.attempt} failed; {reason} ({times}).",
            )
        )

    def ring(self) -> None:
        """Retries whose pause is over, attempts that take too long."""
        for name in self.alarms.due(self.now):
            life = self.lives.get(name)
            if life is None:
                continue
            self.stirred.add(name)
            call = life.calls.active
            if call is not None and call.deadline and call.deadline <= self.now:
                self._timed_out(life, call)
            elif call is not None and call.deadline:
                self.alarms.set(name, call.deadline)
            place = life.place
            self.see_to(life)
            if life.place != place:
                self.did.append(["rang", name])  # else nothing of this turn might be recorded

    def _timed_out(self, life: Life, call: Call) -> None:
        """The attempt is cut short: its process ends, whatever it is doing."""
        limit = call.policy.timeout
        call.timeouts += 1
        life.phase = LEAVING
        self._emit(m.Stop(life.place))
        self._fail(life, call, Failure(Why.TIMEOUT, f"{life.name} took longer than the {limit:g} s it may take."))

    def _give_up(self, life: Life, failure: Failure) -> None:
        """No worker can be had: every call that waits has failed."""
        calls = life.calls.unsettled()
        for call in calls:
            self._fail(life, call, failure)
        if not calls:
            life.bare = [
                WorkStatus(stage=Stage.FAILED, timestamp=self.now, reason=failure.reason, message=failure.message)
            ]
            self.failed.append((life, None))
        life.wanted = False

    def _move(
        self,
        life: Life,
        call: Call,
        stage: str,
        at: float | None = None,
        reason: str | None = None,
        message: str | None = None,
    ) -> None:
        if call.move(stage, self.now if at is None else at, reason, message):
            self.story.append(["moved", life.name, call.ordinal, stage, call.attempt, reason])

    # -- devices and idleness ----------------------------------------------------------------------------

    def _release_idle(self) -> None:
        """End idle processes that hold what others wait for."""
        for life in list(self._waiting.values()):
            for place in life.waits_for:
                self.release(place)

    def release(self, place: str) -> bool:
        """End the process at this place if it has nothing to do; the status of its work stays as it is."""
        holder = self.places.get(place)
        if holder is None or not holder.idle:
            return False
        holder.released, holder.wanted = True, False
        self._emit(m.Stop(place))
        return True

    def release_overdue(self) -> None:
        """End processes that were idle for longer than they may."""
        for life in self.resting.overdue(self.now):
            if self.release(life.place):
                self.did.append(["released", life.name])
