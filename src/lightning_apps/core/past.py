"""The state of a run as its records tell it: components, their values, where each work had got to.  Needs none of the app's code.

What `restore` does for a host, this does for people who look on; see `core.foreign` for values of the app's own classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..base import messages as m
from ..base.arrivals import put
from ..base.messages import SET, Change, Record
from ..base.status import WorkStageStatus as Stage
from ..base.values import plain
from . import foreign
from .seen import CallSeen, WorkSeen, work_of, work_of_snapshot

Values = Mapping[str, Any]


class Part:
    """A component without its class: its attributes are its values."""

    def _lit_apply(self, change: Change) -> bool:
        return put(self, self.__dict__, change)


class Past:
    """The state after the records that were given so far.

    Args:
        snapshot: what `Coordinator.snapshot` gave, encoded; None: the records begin with the first turn.
        starts: by turn, the values of each component when a host of this run began, encoded: what `__init__` has set.
    """

    def __init__(self, snapshot: bytes | None = None, starts: Mapping[int, bytes] | None = None) -> None:
        self.turn, self.at = 0, 0.0
        self.parts: dict[str, Part] = {}
        self.works: dict[str, WorkSeen] = {}
        self._starts = dict(starts or {})
        if snapshot is not None:
            self._load(foreign.decode(snapshot))

    def follow(self, records: Iterable[Record]) -> Past:
        """Go through more turns."""
        for record in records:
            self._begin_from_starts(record.turn)
            self.turn, self.at = record.turn, record.at
            for event in record.taken:
                if (handler := TAKEN.get(type(event))) is not None:
                    handler(self, event)
            for what, *entry in record.done:
                if what in DONE:
                    DONE[what](self, *entry)
            for what, *entry in record.story:
                if what in STORY:
                    STORY[what](self, *entry)
            for what, *entry in record.done:
                if what == "latest":  # said of the turn as a whole
                    self._latest(*entry)
            for work in self.works.values():
                self._end_turn(work)
        return self

    def finish(self, until: int) -> Past:
        """Nothing more is recorded up to this turn; hosts may have begun meanwhile."""
        self._begin_from_starts(until + 1)
        return self

    def values(self, whole: bool = True) -> dict[str, dict[str, Any]]:
        """Component to attributes, ready for JSON; without those whose names begin with _ unless it is the `whole` state."""
        return {
            name: foreign.shown({key: plain(value) for key, value in vars(part).items() if whole or key[:1] != "_"})
            for name, part in sorted(self.parts.items())
        }

    # -- where it begins -----------------------------------------------------------------------------------

    def _begin_from_starts(self, before: int) -> None:
        due = [turn for turn in self._starts if turn < before]
        for turn in sorted(due):
            data = self._starts.pop(turn)
            if turn >= self.turn:
                self._fill(foreign.decode(data))
                self.turn = max(self.turn, turn)

    def _fill(self, values: Mapping[str, Values]) -> None:
        """These are all components there are, with these values."""
        self.parts = {}
        for name, attributes in values.items():
            self._put(name, attributes)

    def _put(self, name: str, attributes: Values) -> None:
        part = self.parts.setdefault(name, Part())
        for attribute, value in attributes.items():
            part._lit_apply(Change((attribute,), SET, value))

    def _load(self, kept: dict[str, Any]) -> None:
        self.turn, self.at = kept["turn"], kept["at"]
        self._fill({name: values for name, (values, _) in kept["tree"]["state"].items()})
        for name, life in kept["lives"].items():
            self.works[name] = work_of_snapshot(life)

    # -- what came in --------------------------------------------------------------------------------------

    def _work(self, name: str) -> WorkSeen:
        if name not in self.works:
            self.works[name] = WorkSeen()
        return self.works[name]

    def _at_place(self, place: str) -> WorkSeen:
        work = self._work(work_of(place))
        work.place = place
        return work

    def _heard(self, event: m.Heard) -> None:
        word = foreign.decode_word(event.raw)
        name = work_of(event.place)
        work = self._work(name)
        if isinstance(word, m.Changed):
            work.mirror.absorb(self.parts.setdefault(name, Part()), word)  # type: ignore[arg-type]
        elif isinstance(word, m.Ready) and not work.latest:
            work.stage, work.at = (Stage.FAILED if word.failure else Stage.STARTED), word.at
        elif isinstance(word, m.Moved) and word.failure is not None and word.ordinal in work.calls:
            work.calls[word.ordinal].message = word.failure.message

    def _attached(self, event: m.Attached) -> None:
        work = self._at_place(event.place)
        work.attached, work.waits, work.silent, work.pid = True, "", "", event.pid
        if event.received:
            work.mirror.received(event.received)
        else:
            work.mirror.restart()

    def _started(self, event: m.Started) -> None:
        self._at_place(event.place).pid = event.pid

    def _waiting(self, event: m.Waiting) -> None:
        self._at_place(event.place).waits = event.reason

    def _silent(self, event: m.Silent) -> None:
        self._at_place(event.place).silent = event.reason

    def _got(self, event: m.Got) -> None:
        self._work(work_of(event.place)).mirror.received(event.version)

    def _gone_place(self, event: m.Exited | m.Refused) -> None:
        self._leave(event.place)

    def _leave(self, place: str) -> None:
        work = self._work(work_of(place))
        work.mirror.restart()
        work.place, work.pid, work.attached, work.waits, work.silent = "", 0, False, "", ""

    # -- what was done -------------------------------------------------------------------------------------

    def _set(self, name: str, data: bytes) -> None:
        change = foreign.decode_change(data)
        self.parts.setdefault(name, Part())._lit_apply(change)
        if name in self.works:
            self.works[name].mirror.note(change.path, msgspec.Raw(data))

    def _made(self, name: str, *entry: Any) -> None:
        for component, values in entry[-1].items():
            self.parts.pop(component, None)
            self._put(component, foreign.decode(values))

    def _gone(self, name: str) -> None:
        for known in (self.parts, self.works):
            for component in [each for each in known if each == name or each.startswith(f"{name}.")]:
                del known[component]

    def _opened(self, name: str, key: str, arguments: bytes, *_: Any) -> None:
        self._work(name).opening[key] = foreign.arguments(arguments)

    def _latest(self, name: str, key: str) -> None:
        work = self._work(name)
        found = work.of_key(key)
        work.latest = found.ordinal if found is not None else work.latest

    def _resumed(self, gone: list[str]) -> None:
        """A later host took over: these places were no more."""
        for place in gone:
            call = self._work(work_of(place)).call
            self._leave(place)
            if call is not None and call.stage == Stage.RUNNING:
                call.stage, call.at, call.reason = Stage.PENDING, self.at, "the app was resumed"

    def _start(self, name: str) -> None:
        work = self._work(name)
        work.stage, work.at = Stage.PENDING, self.at

    def _stop(self, name: str, *_: Any) -> None:
        work = self._work(name)
        work.stage, work.at, work.attached = Stage.STOPPED, self.at, False

    # -- what followed -------------------------------------------------------------------------------------

    def _numbered(self, name: str, ordinal: int, key: str) -> None:
        work = self._work(name)
        work.calls.pop(ordinal, None)
        work.calls[ordinal] = CallSeen(ordinal, key, work.opening.pop(key, "(…)"), at=self.at)
        work.latest, work.stage = ordinal, Stage.NOT_STARTED  # from now on the call is spoken of

    def _sent(self, name: str, ordinal: int, attempt: int) -> None:
        call = self._call(name, ordinal)
        call.attempt, call.reason = attempt, ""

    def _moved(self, name: str, ordinal: int, stage: str, attempt: int, reason: str | None) -> None:
        call = self._call(name, ordinal)
        call.stage, call.at, call.reason = stage, self.at, reason or ""

    def _retry(self, name: str, ordinal: int, failures: int, not_before: float, reason: str) -> None:
        call = self._call(name, ordinal)
        call.stage, call.at = Stage.PENDING, self.at
        call.reason = f"attempt {call.attempt} failed ({reason}); it is made again"

    def _call(self, name: str, ordinal: int) -> CallSeen:
        return self._work(name).calls.setdefault(ordinal, CallSeen(ordinal, "", at=self.at))

    def _end_turn(self, work: WorkSeen) -> None:
        if work.attached:
            work.mirror.take_outgoing()
        else:
            work.mirror.forget_outgoing()


def differences(before: Mapping[str, Values], after: Mapping[str, Values]) -> Iterator[tuple[str, str, Any, Any]]:
    """Component, attribute, and both values (None where it was not there), of all that differs."""
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        for attribute in sorted({*old, *new}):
            if old.get(attribute) != new.get(attribute) or (attribute in old) != (attribute in new):
                yield name, attribute, old.get(attribute), new.get(attribute)


TAKEN: dict[type, Callable[[Past, Any], None]] = {
    m.Heard: Past._heard, m.Attached: Past._attached, m.Started: Past._started, m.Waiting: Past._waiting, m.Silent: Past._silent,
    m.Got: Past._got,
    m.Exited: Past._gone_place, m.Refused: Past._gone_place,
}  # fmt: skip
DONE: dict[str, Callable[..., None]] = {
    "set": Past._set, "made": Past._made, "gone": Past._gone, "opened": Past._opened, "start": Past._start,
    "stop": Past._stop, "resumed": Past._resumed,
}  # fmt: skip
STORY: dict[str, Callable[..., None]] = {
    "opened": Past._numbered, "sent": Past._sent, "moved": Past._moved, "retry": Past._retry,
}  # fmt: skip
