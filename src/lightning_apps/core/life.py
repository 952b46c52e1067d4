"""One work's life as the host knows it: where it is placed, whether it is ready, what it waits for, what users read of it."""

from __future__ import annotations

from typing import Any

from ..base.arrivals import put
from ..base.messages import DELETE, SPLICE, Change, Send
from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus
from ..base.values import plain, track
from ..model.work import LightningWork
from .calls import Call, CallTable
from .mirror import Mirror

NOWHERE, PLACING, ATTACHED, LEAVING = "nowhere", "placing", "attached", "leaving"

KEPT = (
    "place", "pid", "began", "placements", "phase", "ready", "wanted", "released", "delete", "tracking", "waits_for",
    "pending_reason", "idle_since", "offered_port", "base", "bare", "held",
)  # fmt: skip


class Life:
    """The life of one work.

    Attributes:
        place: id of the current placement, "" if there is none.
        placements: how many there have been; only grows.
        phase: nowhere → placing → attached → leaving → nowhere.
        ready: whether `on_start` has run there.
        wanted: a process is wanted even without a call.
        waits_for: places that hold what it waits for.
        idle_since: wall time since when it has nothing to do, 0 while it has.
    """

    def __init__(self, work: LightningWork, history: int) -> None:
        self.work = work
        self.calls = CallTable(history)
        self.mirror = Mirror()
        self.place, self.placements, self.phase = "", 0, NOWHERE
        self.pid, self.began = 0, ""  # of its process, where that is known
        self.ready = self.wanted = self.released = self.delete = False
        self.waits_for: tuple[str, ...] = ()
        self.pending_reason = ""
        self.idle_since = 0.0
        self.offered_port = 0
        self.held: list[Any] = []  # words of its worker that wait for the answer to a question
        self.base: dict[str, Any] = {}  # attributes as they were when the attempt under way began
        self.tracking = False
        self.bare: list[WorkStatus] = []  # statuses while no call was ever asked for, or after a stop without one

    @property
    def name(self) -> str:
        return self.work.name

    @property
    def busy(self) -> bool:
        """Whether a call is under way or waits."""
        return self.calls.active is not None or bool(self.calls.queue)

    @property
    def idle(self) -> bool:
        """Whether it has a process that could be ended without harm."""
        return self.phase == ATTACHED and self.ready and not self.busy and not self.released

    def statuses(self) -> list[WorkStatus]:
        """What users read: of the call asked for last, else of the process."""
        if self.bare and (
            self.calls.latest is None or self.bare[-1].stage == Stage.STOPPED or self.bare[0].reason == "start"
        ):
            return self.bare
        return list(self.calls.latest.statuses) if self.calls.latest is not None else self.bare

    def due(self, now: float) -> bool:
        """Whether a call waits that may be delivered now."""
        return bool(self.calls.queue) and self.calls.queue[0].not_before <= now

    def attempt_began(self, call: Call) -> None:
        """From here on, what the work changes is remembered as it was."""
        self.base, self.tracking = {}, True

    def remember(self, name: str) -> None:
        """The work is about to change this attribute: keep it as it was when the attempt began."""
        if self.tracking and name not in self.base and name not in self.work._lit_listed:
            self.base[name] = plain(self.work.__dict__.get(name))

    def overrule(self, path: tuple[Any, ...], op: int, value: Any) -> None:
        """The flow wrote this: no trace of the attempt under way, so it stays when that one's are taken back."""
        if len(path) == 1 and op <= DELETE:
            self.base.pop(path[0])
            return
        holder = {path[0]: track(plain(self.base[path[0]]))}
        if not put(None, holder, Change(path, op, value)) and op == SPLICE:
            for length in range(value[0], -1, -1):  # behind the last that was there
                if put(None, holder, Change(path, op, [length, 0, value[2]])):
                    break
        self.base[path[0]] = plain(holder[path[0]])

    def next_place(self) -> str:
        """The id of a new placement."""
        self.placements += 1
        self.place, self.phase, self.ready, self.released = f"{self.name}@{self.placements}", PLACING, False, False
        self.mirror.heard = 0
        return self.place

    def gone(self) -> None:
        """Its process has ended."""
        self.place, self.phase, self.ready, self.pid, self.began = "", NOWHERE, False, 0, ""
        self.waits_for, self.pending_reason, self.idle_since = (), "", 0.0
        self.tracking = False  # what the next process does before its first attempt is no attempt's
        self.mirror.restart()

    def take_changes(self) -> list[Send]:
        """What the flow changed, for the worker if there is one."""
        if self.phase != ATTACHED:
            self.mirror.forget_outgoing()
        message = self.mirror.take_outgoing()
        return [] if message is None else [Send(self.place, message)]

    def dump(self, apart: bool = False) -> dict[str, Any]:
        """What a snapshot keeps of it; `apart`: without the calls that finished long ago."""
        kept = {name: getattr(self, name) for name in KEPT}
        return {**kept, "calls": self.calls.dump(apart), "mirror": self.mirror.dump()}

    def load(self, dumped: dict[str, Any]) -> None:
        """Take up what `dump` gave."""
        self.calls.load(dumped["calls"])
        self.mirror.load(dumped["mirror"])
        for name in KEPT:
            if name in dumped:
                setattr(self, name, dumped[name])
