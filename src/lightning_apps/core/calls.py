"""The calls of one work: which were asked for, how far each got, which comes next.  Knows nothing of processes."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

import msgspec

from ..base.encoding import decode
from ..base.messages import Failure
from ..base.status import WorkFailureReasons as Why
from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus
from ..model.retry import Policy
from .details import Details, from_bytes, to_bytes
from .finished import Finished

ONCE = Policy()
AT_ONCE = 4  # calls whose details are forgotten at most when one is opened
SETTLED = frozenset({Stage.SUCCEEDED, Stage.FAILED, Stage.STOPPED})

MOVES: dict[str, frozenset[str]] = {  # from a stage, the stages a call may reach
    Stage.PENDING: frozenset({Stage.PENDING, Stage.RUNNING, Stage.SUCCEEDED, Stage.FAILED, Stage.STOPPED}),
    Stage.RUNNING: frozenset({Stage.PENDING, Stage.SUCCEEDED, Stage.FAILED, Stage.STOPPED}),
    Stage.SUCCEEDED: frozenset({Stage.PENDING}),
    Stage.FAILED: frozenset({Stage.PENDING}),
    Stage.STOPPED: frozenset({Stage.PENDING}),
}


class Call(msgspec.Struct):
    """One distinct set of arguments of a work.

    Attributes:
        ordinal: number of the call in its work; identifies it on the wire.
        key: see `core.keys`.
        arguments: pickle of (args, kwargs).
        stage: where it has got to.
        statuses: what users read, oldest first.
        attempt: number of its last delivery; only grows within a work.
        sent: whether that delivery is with a worker.
        lost: deliveries that went away with their machine.
        policy: what is done when it fails.
        failures, timeouts: attempts that failed, and those of them that took too long; until it succeeds.
        not_before: wall time before which it is not delivered (a retry that waits).
        deadline: wall time by which the attempt under way has to be done, 0 for none.
        checkpoint: what an attempt left for the next.
    """

    ordinal: int
    key: str
    arguments: bytes
    stage: str = Stage.PENDING
    statuses: list[WorkStatus] = []
    attempt: int = 0
    sent: bool = False
    value: Any = None
    failure: Failure | None = None
    lost: int = 0
    policy: Policy = ONCE
    failures: int = 0
    timeouts: int = 0
    not_before: float = 0.0
    deadline: float = 0.0
    checkpoint: dict[str, Any] | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.stage in SETTLED

    def move(self, stage: str, at: float, reason: str | None = None, message: str | None = None) -> bool:
        """Go to `stage`; False if it cannot from here (a late word about a call that was settled meanwhile)."""
        if stage not in MOVES[self.stage]:
            return False
        if (stage == Stage.PENDING and self.settled) or stage == Stage.SUCCEEDED:
            self.statuses = []
        self.stage = stage
        count = max(1, self.timeouts) if reason == Why.TIMEOUT else 1
        self.statuses = [*self.statuses, WorkStatus(stage, at, reason, message, count)]
        return True


class CallTable:
    """All calls of one work.  `limit` settled ones keep their details; keys and values of the older ones stay."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.by_key: dict[str, Call] = {}
        self.finished = Finished()
        self.queue: deque[Call] = deque()
        self.active: Call | None = None
        self.latest: Call | None = None
        self.ordinals = 0
        self.attempts = 0
        self.successes = 0

    def find(self, key: str) -> Call | None:
        return self.by_key.get(key)

    def done(self, key: str) -> bool:
        """Whether this call has succeeded, however long ago."""
        call = self.by_key.get(key)
        return call.stage == Stage.SUCCEEDED if call is not None else key in self.finished

    def value(self, key: str) -> Any:
        """What the succeeded call returned."""
        call = self.by_key.get(key)
        return call.value if call is not None else self.finished.get(key)

    def open(self, key: str, arguments: bytes, now: float, policy: Policy = ONCE) -> Call:
        """A call that was never made, or is to be made again: the last in the queue, and the one that is spoken of."""
        call = self.by_key.pop(key, None)
        if call is None:
            self.ordinals += 1
            call = Call(self.ordinals, key, arguments, statuses=[WorkStatus(stage=Stage.PENDING, timestamp=now)])
            self.finished.pop(key, None)
        else:
            call.arguments, call.sent, call.failure = arguments, False, None
            call.failures = call.lost = 0
            call.not_before = call.deadline = 0.0
            call.move(Stage.PENDING, now)
        call.policy = policy
        self.by_key[key] = call
        self.queue.append(call)
        self.latest = call
        self._trim()
        return call

    def take_back(self, key: str, oldest: list[Call], first: Call | None) -> None:
        """The call opened last, which was a new one, was not made after all.

        Args:
            key: of that call.
            oldest: the `AT_ONCE` oldest calls before it was made, in their order.
            first: what was the first in the queue then.
        """
        call = self.by_key.pop(key)
        if self.queue and self.queue[-1] is call:
            self.queue.pop()
        if first is not None and (not self.queue or self.queue[0] is not first):
            self.queue.appendleft(first)
        forgotten = [each for each in oldest if each.key not in self.by_key]
        if forgotten:
            self.by_key = {**{each.key: each for each in oldest}, **self.by_key}
        for each in forgotten:
            self.finished.pop(each.key)

    def next(self, now: float = 0.0) -> Call | None:
        """The call to deliver now: the oldest in the queue, if none is under way and it does not wait for a retry."""
        if self.active is not None or not self.queue or self.queue[0].not_before > now:
            return None
        self.active = self.queue.popleft()
        self.attempts += 1
        self.active.attempt, self.active.sent = self.attempts, True
        return self.active

    def put_back(self, call: Call, now: float, reason: str) -> None:
        """A delivery that was lost: the call is the next one again."""
        call.sent = False
        call.move(Stage.PENDING, now, reason=reason)
        self.queue.appendleft(call)
        if self.active is call:
            self.active = None

    def settle(self, call: Call) -> None:
        """It needs no worker any more."""
        if self.active is call:
            self.active = None
        if call in self.queue:
            self.queue.remove(call)

    @property
    def begun(self) -> bool:
        """Whether the next call is to be made again: an attempt of it has begun, or was lost before."""
        call = next(iter(self.unsettled()), None)
        return call is not None and bool(call.lost or any(each.stage == Stage.RUNNING for each in call.statuses))

    def by_ordinal(self, ordinal: int) -> Call | None:
        if self.active is not None and self.active.ordinal == ordinal:
            return self.active
        return next((call for call in self.by_key.values() if call.ordinal == ordinal), None)

    def unsettled(self) -> list[Call]:
        """The call under way and those that wait."""
        return ([self.active] if self.active is not None else []) + list(self.queue)

    def _trim(self) -> None:
        """Forget the details of the oldest settled calls beyond the limit; a moment's work per call opened.

        Calls settle in their order, so that only the oldest have to be looked at however many wait.
        """
        surplus = min(len(self.by_key) - self.limit, AT_ONCE)
        if surplus <= 0:
            return
        oldest = [call for call in islice(self.by_key.values(), AT_ONCE) if call.settled and call is not self.latest]
        for call in oldest[:surplus]:
            del self.by_key[call.key]
            if call.stage == Stage.SUCCEEDED:
                self.finished[call.key] = call.value

    def shape(self) -> dict[str, Any]:
        """`state["calls"]`, as older code reads it."""
        shape: dict[str, Any] = {"latest_call_hash": self.latest.key if self.latest is not None else None}
        for key, call in self.by_key.items():
            entry: dict[str, Any] = {"statuses": [status.to_dict() for status in call.statuses]}
            if call.stage == Stage.SUCCEEDED:
                entry["ret"] = call.value
            shape[key] = entry
        return shape

    def dump(self, apart: bool = False) -> dict[str, Any]:
        """Everything, as values that can be encoded; `load` takes it.  `apart`: what finished long ago is kept elsewhere."""
        return {
            "calls": to_bytes(self.by_key.values()),
            "finished": [] if apart else self.finished.dump(),
            "since": self.finished.since if apart else 0,
            "queue": [call.ordinal for call in self.queue],
            "active": self.active.ordinal if self.active is not None else 0,
            "latest": self.latest.key if self.latest is not None else None,
            "ordinals": self.ordinals,
            "attempts": self.attempts,
            "successes": self.successes,
        }

    def load(self, dumped: dict[str, Any]) -> None:
        """Take up what `dump` gave."""
        calls = [_call(details) for details in from_bytes(dumped["calls"])]
        self.by_key = {call.key: call for call in calls}
        numbered = {call.ordinal: call for call in calls}
        self.finished.load(dumped["finished"], dumped["since"])
        self.queue = deque(numbered[ordinal] for ordinal in dumped["queue"])
        self.active = numbered.get(dumped["active"])
        self.latest = self.by_key.get(dumped["latest"]) if dumped["latest"] else None
        self.ordinals, self.attempts, self.successes = dumped["ordinals"], dumped["attempts"], dumped["successes"]


def _call(details: Details) -> Call:
    fields = msgspec.structs.asdict(details)
    for name in ("value", "checkpoint"):
        fields[name] = decode(fields[name]) if fields[name] else None
    return Call(**fields)
