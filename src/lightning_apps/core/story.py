"""Why a work ran, or did not, in sentences: told from the records of turns alone.  Knows no clock, no file and none of the app's code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import msgspec

from ..base import messages as m
from ..base.messages import Record
from ..base.status import WorkFailureReasons as Why
from ..base.status import WorkStageStatus as Stage
from ..base.traces import how_it_ended
from . import foreign
from .phrases import AGAIN, REPEATED, SETTLED, UNDER_WAY, because, last_line
from .seen import WorkSeen, work_of


class Sentence(msgspec.Struct, frozen=True):
    """What happened in a turn; `call` 0 concerns the work's process, and so every call that was under way."""

    turn: int
    at: float
    text: str
    call: int = 0


class CallTold(msgspec.Struct):
    """What is known of one call."""

    ordinal: int
    key: str
    arguments: str = "(…)"
    stage: str = Stage.PENDING
    attempts: int = 0
    failures: int = 0
    reason: str = ""
    first: int = 0  # turn
    until: int = 0  # turn in which it settled, 0: it has not
    retry: float = 0.0  # wall time of its next attempt, while it waits for that

    @property
    def name(self) -> str:
        """ "call 2, run(lr=0.1)"."""
        return f"call {self.ordinal}, run{self.arguments}"


class Story:
    """What the records tell of one work.

    Args:
        work: its full name.
    """

    def __init__(self, work: str) -> None:
        self.work = work
        self.calls: dict[int, CallTold] = {}
        self.sentences: list[Sentence] = []
        self.latest = 0
        self.waits, self.silent, self.place, self.ready = "", "", "", False
        self._ending = False  # the app has ended, and what is told is what works still said
        self._told_to_end = False  # its process was, by us
        self._interrupted = 0  # the call that SIGTERM from outside cut short in this turn
        self._first, self._turn, self._at = 0, 0, 0.0
        self._arguments: dict[str, str] = {}
        self._failures: dict[int, str] = {}

    def follow(self, records: Iterable[Record]) -> Story:
        """Go through more turns."""
        for record in records:
            self._first = self._first or record.turn
            self._turn, self._at = record.turn, record.at
            if record.ending:
                self._app_ended(record)
            for event in record.taken:
                handler = TAKEN.get(type(event))
                if handler is not None and work_of(event.place) == self.work:  # type: ignore[union-attr]
                    handler(self, event)
            for what, name, *entry in record.done:
                if what == "resumed":
                    self._resumed(name)
                elif what in DONE and name == self.work:
                    DONE[what](self, *entry)
                elif what in ARRIVALS and name == self.work:
                    ARRIVALS[what](self)
            for what, name, *entry in record.story:
                if name == self.work:
                    STORY[what](self, *entry)
            if self._interrupted:
                self._say(
                    "Its process got SIGTERM from outside; as it may be interrupted, the call is made again.",
                    self._interrupted,
                )
                self._interrupted = 0
            for what, name, *entry in record.done:
                if what == "latest" and name == self.work:  # said of the turn as a whole
                    self._latest(*entry)
        return self

    def know(self, work: WorkSeen) -> Story:
        """What is known of calls and process from elsewhere, as their records are not kept any more, or were not gone through."""
        for seen in work.calls.values():
            call = self.calls.get(seen.ordinal)
            if call is None:
                call = self.calls[seen.ordinal] = CallTold(seen.ordinal, seen.key, stage=seen.stage, reason=seen.reason)
                call.attempts = int(bool(seen.attempt))
            if not call.key:
                call.key = seen.key
            if call.arguments == "(…)":
                call.arguments = seen.arguments
        self.latest, self.ready = work.latest or self.latest, self.ready or work.attached
        return self

    # -- answers -------------------------------------------------------------------------------------------

    def find(self, wanted: str) -> CallTold | None:
        """The call with this number, or the beginning of this key; "" for the one asked for last."""
        if not wanted:
            return self.calls.get(self.latest)
        if wanted.isdigit() and int(wanted) in self.calls:
            return self.calls[int(wanted)]
        return next((call for call in self.calls.values() if call.key.startswith(wanted)), None)

    def of(self, call: CallTold | None) -> list[Sentence]:
        """What happened to a call, and to its process while it was not settled; without a call everything."""
        if call is None:
            return _folded(self.sentences)
        return _folded(s for s in self.sentences if s.call == call.ordinal or (s.call == 0 and self._concerns(s, call)))

    @staticmethod
    def _concerns(sentence: Sentence, call: CallTold) -> bool:
        return call.first <= sentence.turn and (not call.until or sentence.turn <= call.until)

    def verdict(self, call: CallTold | None, lives: bool, now: float) -> str:
        """One sentence: how it stands with the call, and why."""
        if call is None:
            return f"{self.work} was never asked to run."
        return f"{self.work}, {call.name}: {VERDICTS[call.stage](self, call, lives, now)}."

    def _succeeded(self, call: CallTold, *_: Any) -> str:
        again = "with these arguments it is not run again unless the work has cache_calls=False"
        return f"succeeded {_attempt(call)}; {again}"

    def _failed(self, call: CallTold, *_: Any) -> str:
        left = "" if call.failures <= 1 else f", the last of {call.failures} failures in a row"
        when = "before its first attempt" if call.reason == "refused" and not call.attempts else _attempt(call)
        return f"failed {when}{left}, because {because(call.reason)}"

    def _stopped(self, call: CallTold, *_: Any) -> str:
        return f"was stopped, because {because(call.reason or 'pending')}"

    def _running(self, call: CallTold, lives: bool, now: float) -> str:
        if self.silent and lives:
            return f"was seen running ({_attempt(call)}): {_small(self.silent)}"
        return f"runs ({_attempt(call)})" if lives else f"was running ({_attempt(call)}) when the records end"

    def _pending(self, call: CallTold, lives: bool, now: float) -> str:
        return (
            f"waits {self._for_what(call, now)}"
            if lives
            else f"was waiting {self._for_what(call, now)} when the records end"
        )

    def _for_what(self, call: CallTold, now: float) -> str:
        before = [c for c in self.calls.values() if c.ordinal < call.ordinal and c.stage not in SETTLED]
        if before:
            return f"for {before[0].name} of the same work, which comes first"
        if call.retry:
            return f"for its next attempt, in {max(0.0, call.retry - now):.3g} s, because {because(call.reason)}"
        if self.silent:
            return f"for its process, of which nothing is heard: {_small(self.silent)}"
        if self.waits:
            return f"for a place: {self.waits}"
        return "for its process to take it" if self.ready else "for its process to be ready"

    # -- what came in --------------------------------------------------------------------------------------

    def _say(self, text: str, call: int = 0) -> None:
        self.sentences.append(Sentence(self._turn, self._at, text, call))

    def _started(self, event: m.Started) -> None:
        self._new_place(event.place)
        self._say(f"A process was started for it (process {event.pid}).")

    def _new_place(self, place: str) -> None:
        self.place, self.ready, self.silent = place, False, ""
        self._told_to_end = False

    def _waiting(self, event: m.Waiting) -> None:
        if event.reason != self.waits:
            self._say(f"It waits for a place: {event.reason}.")
        self.waits = event.reason

    def _silent(self, event: m.Silent) -> None:
        if self.place in ("", event.place):
            self.silent = event.reason
            self._say(f"{event.reason}." if event.reason else "Its machine is heard again.")

    def _refused(self, event: m.Refused) -> None:
        self._say(f"It can never be placed: {event.reason}")

    def _attached(self, event: m.Attached) -> None:
        if self.place != event.place:
            self._new_place(event.place)
        self.waits = ""
        self._say(
            "Its process, which went on without the flow's, came back." if event.received else "Its process dialled in."
        )

    def _exited(self, event: m.Exited) -> None:
        if self.place not in ("", event.place):
            return  # an earlier one, of which a later host was told once more
        how = how_it_ended(event.code, event.signal, told_to=self._told_to_end)
        if event.lost:
            how = "went away with its machine"
        self._say(f"Its process {how}.")
        self.place, self.waits, self.silent, self.ready = "", "", "", False

    def _heard(self, event: m.Heard) -> None:
        word = foreign.decode_word(event.raw)
        if isinstance(word, m.Ready):
            self.ready = word.failure is None
            self._say("Its process is ready." if self.ready else f"on_start failed: {last_line(word.failure)}")
        elif isinstance(word, m.Checkpoint):
            self._say("It left a checkpoint for its next attempt.", word.ordinal)
        elif isinstance(word, m.Moved) and word.failure is not None:
            self._failures[word.ordinal] = last_line(word.failure)
        elif isinstance(word, m.Moved) and word.stage == Stage.STOPPED and not self._told_to_end:
            self._interrupted = word.ordinal

    # -- what was done -------------------------------------------------------------------------------------

    def _resumed(self, gone: list[str]) -> None:
        """A later host took over here: these places were no more."""
        self._ending = False
        if self.place in gone:
            self._say("The run was resumed, and its process was gone with the earlier host.")
            self.place, self.waits, self.silent, self.ready = "", "", "", False
            for call in self.calls.values():
                call.stage = Stage.PENDING if call.stage == Stage.RUNNING else call.stage
        elif self.place:
            self._say("The run was resumed; its process had gone on.")

    def _app_ended(self, record: Record) -> None:
        """In its last turns; a work's word that it began may be among the last."""
        if self.place and not self._ending:
            begins = any(entry[:2] == ["moved", self.work] and entry[3] == Stage.RUNNING for entry in record.story)
            under_way = begins or any(call.stage == Stage.RUNNING for call in self.calls.values())
            self._say(
                f"The app ended ({record.ending}), and its process{' was cut short' if under_way else ''} with it."
            )
        self._ending = self._told_to_end = True

    def _opened(self, key: str, arguments: bytes, *_: Any) -> None:
        self._arguments[key] = foreign.arguments(arguments)

    def _latest(self, key: str) -> None:
        call = next((c for c in reversed(self.calls.values()) if c.key == key), None)
        if call is not None:
            self.latest = call.ordinal
            self._say(
                f"The flow asked for it again with the same arguments: {REPEATED.get(call.stage, UNDER_WAY)}.",
                call.ordinal,
            )

    def _came(self) -> None:
        """One of this name that was there before had calls of its own."""
        self.calls, self.latest = {}, 0
        self._say("It came into the app.")

    def _left(self) -> None:
        for call in self.calls.values():
            if call.stage not in SETTLED:
                call.stage, call.reason, call.until = Stage.STOPPED, "it left the app", self._turn
        self._say("It left the app.")

    def _start(self) -> None:
        self._say("The flow, or the app at its beginning, started its process.")

    def _stop(self, delete: bool) -> None:
        self._told_to_end = True
        self._say("The flow deleted it." if delete else "The flow stopped it.")

    # -- what followed -------------------------------------------------------------------------------------

    def _numbered(self, ordinal: int, key: str) -> None:
        earlier = next((c for c in reversed(self.calls.values()) if c.key == key), None)
        same = self.calls.get(ordinal)
        first = same.first if same is not None else self._turn
        call = CallTold(ordinal, key, self._arguments.pop(key, "(…)"), first=first)
        self.calls[ordinal], self.latest = call, ordinal
        why = "for the first time" if earlier is None else AGAIN.get(earlier.stage, "again")
        self._say(f"The flow asked for run{call.arguments} {why}.", ordinal)

    def _call(self, ordinal: int) -> CallTold:
        """One that was asked for before the records begin has no arguments here."""
        if ordinal not in self.calls:
            self.calls[ordinal] = CallTold(ordinal, "", first=self._turn)
            self._say(f"It was asked for before turn {self._first}, with which this begins.", ordinal)
        return self.calls[ordinal]

    def _sent(self, ordinal: int, attempt: int) -> None:
        call = self._call(ordinal)
        call.attempts, call.retry = call.attempts + 1, 0.0
        again = "" if call.attempts == 1 else " again"
        self._say(f"It was sent to its process{again}, as attempt {attempt}.", ordinal)

    def _moved(self, ordinal: int, stage: str, attempt: int, reason: str | None) -> None:
        call = self._call(ordinal)
        call.stage, call.reason = stage, reason or ""
        call.until = self._turn if stage in SETTLED else 0
        self._interrupted = 0 if stage in SETTLED else self._interrupted
        self._told_to_end |= reason == Why.TIMEOUT
        said = self._failures.pop(ordinal, "") if stage == Stage.FAILED else ""
        if stage == Stage.FAILED:
            call.failures += 1
            self._say(f"It failed: {said or because(reason or '')}{'' if said.endswith('.') else '.'}", ordinal)
        elif stage == Stage.STOPPED:
            self._say(f"It was stopped, because {because(reason or '')}.", ordinal)
        elif stage != Stage.PENDING:
            self._say(f"It {'began to run' if stage == Stage.RUNNING else stage}.", ordinal)

    def _retried(self, ordinal: int, failures: int, not_before: float, reason: str) -> None:
        call = self._call(ordinal)
        call.stage, call.reason, call.failures, call.retry = Stage.PENDING, reason, failures, not_before
        self._told_to_end |= reason == Why.TIMEOUT
        said = self._failures.pop(ordinal, "") or because(reason)
        pause = f"in {not_before - self._at:.3g} s" if not_before > self._at else "at once"
        self._say(f"The attempt failed: {said.rstrip('.')}. It is made again {pause}, as its retries allow.", ordinal)


def _folded(sentences: Iterable[Sentence]) -> list[Sentence]:
    """What was said again and again, as of checkpoints, is said once, with how often."""
    found: list[Sentence] = []
    for (text, call), several in groupby(sentences, key=lambda sentence: (sentence.text, sentence.call)):
        first, *more = several
        often = f" So it did {len(more) + 1} times, until turn {more[-1].turn}." if more else ""
        found.append(Sentence(first.turn, first.at, text + often, call))
    return found


def _attempt(call: CallTold) -> str:
    return "at its first attempt" if call.attempts <= 1 else f"at attempt {call.attempts}"


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


Told = Callable[..., None]
TAKEN: dict[type, Told] = {
    m.Started: Story._started, m.Waiting: Story._waiting, m.Silent: Story._silent, m.Refused: Story._refused,
    m.Attached: Story._attached, m.Exited: Story._exited,    m.Heard: Story._heard,
}  # fmt: skip
DONE: dict[str, Told] = {"opened": Story._opened, "start": Story._start, "stop": Story._stop}
ARRIVALS: dict[str, Told] = {"made": Story._came, "gone": Story._left}
STORY: dict[str, Told] = {
    "opened": Story._numbered, "sent": Story._sent, "moved": Story._moved, "retry": Story._retried,
}  # fmt: skip
VERDICTS: dict[str, Callable[..., str]] = {
    Stage.SUCCEEDED: Story._succeeded, Stage.FAILED: Story._failed, Stage.STOPPED: Story._stopped, Stage.RUNNING: Story._running,
    Stage.PENDING: Story._pending,
}  # fmt: skip
