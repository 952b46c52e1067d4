"""Works and calls as people who look at a run see them: what is told of them, and nothing that runs."""

from __future__ import annotations

from typing import Any

import msgspec

from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus
from . import foreign
from .details import from_bytes
from .mirror import Mirror


class CallSeen(msgspec.Struct):
    """A call as the records tell of it."""

    ordinal: int
    key: str
    arguments: str = "(…)"
    stage: str = Stage.PENDING
    at: float = 0.0
    attempt: int = 0
    reason: str = ""
    message: str = ""


class WorkSeen:
    """A work as the records tell of it."""

    def __init__(self) -> None:
        self.mirror = Mirror()
        self.calls: dict[int, CallSeen] = {}
        self.opening: dict[str, str] = {}  # key to arguments, of calls whose number is still to come
        self.latest = 0
        self.place, self.pid, self.attached = "", 0, False
        self.stage, self.at, self.waits, self.silent = Stage.NOT_STARTED, 0.0, "", ""

    @property
    def call(self) -> CallSeen | None:
        """The call asked for last."""
        return self.calls.get(self.latest)

    def of_key(self, key: str) -> CallSeen | None:
        """The newest call with these arguments."""
        return next((call for call in reversed(self.calls.values()) if call.key == key), None)

    def status(self) -> tuple[str, float, str]:
        """Stage, since when, and why."""
        call = self.call
        if call is None or (self.stage == Stage.STOPPED and self.at >= call.at):
            return self.stage, self.at, ""
        waits = self.waits if call.stage == Stage.PENDING and not self.attached else ""
        return call.stage, call.at, self.silent or waits or call.reason


def work_of_snapshot(life: dict[str, Any]) -> WorkSeen:
    """A work as a snapshot tells of it."""
    work, calls = WorkSeen(), life["calls"]
    work.place, work.attached = life["place"], life["phase"] == "attached"
    work.mirror.load({**life["mirror"], "said": []})
    for each in from_bytes(calls["calls"]):
        status = each.statuses[-1] if each.statuses else WorkStatus(each.stage, 0.0)
        work.calls[each.ordinal] = CallSeen(
            each.ordinal, each.key, foreign.arguments(each.arguments), each.stage, status.timestamp, each.attempt,
            status.reason or "", status.message or "",
        )  # fmt: skip
        if each.key == calls["latest"]:
            work.latest = each.ordinal
    if life["bare"]:
        status = life["bare"][-1].fields()
        work.stage, work.at = status["stage"], status["timestamp"]
    return work


def work_of(place: str) -> str:
    """The work of "root.w@3"."""
    return place.rpartition("@")[0]
