"""The calls of an app's works, as its records tell of them: also of works that are no more.  Knows no coordinator."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ..base import messages as m
from ..base.messages import Record
from ..base.status import WorkStageStatus as Stage
from ..core.arguments import describe_arguments
from ..wire import codec


class CallMade(msgspec.Struct):
    """One call of a work.

    Attributes:
        work: full name.
        args, kwargs: of its `run`.
        stage: "pending", "running", "succeeded", "failed" or "stopped".
        value: what it returned, once it has succeeded.
        attempts: how often it was sent to a process.
    """

    work: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    stage: str = Stage.PENDING
    value: Any = None
    attempts: int = 0

    def __str__(self) -> str:
        """ "root.train.run(lr=0.1): succeeded"."""
        return f"{self.work}.run{describe_arguments(self.args, self.kwargs)}: {self.stage}"


class CallsMade:
    """All calls, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int], CallMade] = {}
        self._arguments: dict[tuple[str, str], bytes] = {}
        self._values: dict[tuple[str, int], Any] = {}

    def follow(self, records: Iterable[Record]) -> list[CallMade]:
        """Go through these turns."""
        for record in records:
            for event in record.taken:
                if isinstance(event, m.Heard):
                    self._heard(event)
            for what, *entry in record.done:
                if what == "opened":
                    self._arguments[entry[0], entry[1]] = entry[2]
            for what, name, *entry in record.story:
                if what in STORY:
                    STORY[what](self, name, *entry)
        return list(self._calls.values())

    def _heard(self, event: m.Heard) -> None:
        word = codec.load_from_worker(event.raw)
        if isinstance(word, m.Moved) and word.stage == Stage.SUCCEEDED:
            self._values[event.place.partition("@")[0], word.ordinal] = word.value

    def _opened(self, name: str, ordinal: int, key: str) -> None:
        args, kwargs = pickle.loads(self._arguments[name, key])
        number = ordinal if (name, ordinal) not in self._calls else self._again(name, ordinal)
        self._calls[name, number] = CallMade(name, args, kwargs)

    def _again(self, name: str, ordinal: int) -> int:
        """The same call is made once more, or another work of the same name makes its own: the earlier one is kept as it was."""
        earlier = -len(self._calls) - 1
        calls = {(name, earlier) if each == (name, ordinal) else each: call for each, call in self._calls.items()}
        self._calls = calls
        return ordinal

    def _sent(self, name: str, ordinal: int, attempt: int) -> None:
        self._calls[name, ordinal].attempts += 1

    def _moved(self, name: str, ordinal: int, stage: str, attempt: int, reason: str | None) -> None:
        call = self._calls[name, ordinal]
        call.stage = stage
        if stage == Stage.SUCCEEDED:
            call.value = self._values.get((name, ordinal))

    def _retried(self, name: str, ordinal: int, *_: Any) -> None:
        self._calls[name, ordinal].stage = Stage.PENDING


STORY: dict[str, Callable[..., None]] = {
    "opened": CallsMade._opened, "sent": CallsMade._sent, "moved": CallsMade._moved, "retry": CallsMade._retried,
}  # fmt: skip
