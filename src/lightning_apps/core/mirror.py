"""The host's copy of one work's state and the worker's own: how their changes meet.

The order of arrival at the host is the only order there is.  The worker replays what the host had not heard yet over what the host
sends, so scalars, dictionaries and sets need no answer.  A splice made against another version of its list is not applied: the
worker is asked for the whole list, which then is the later arrival.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from ..base.messages import SPLICE, Change, Changed, Changes, Whole
from ..base.values import TrackedList
from ..model.component import Component

Path = tuple[Any, ...]


class Mirror:
    """What was said to one worker about its state, and what it has said.

    Attributes:
        version: number of the last thing said to it.
        heard: offset of the last thing heard from it.
        refused: of what it said last, the changes that were not applied.
    """

    def __init__(self) -> None:
        self.version = 0
        self.heard = 0
        self.refused: list[Change] = []
        self._sent: dict[Path, int] = {}
        self._questions: dict[Path, int] = {}
        self.said: list[Changes | Whole] = []  # what it may not have received, in order
        self._outgoing: list[Any] = []
        self._paths: list[Path] = []

    def note(self, path: Path, encoded: Any) -> None:
        """The flow changed this path: to be said at the end of the turn."""
        self._outgoing.append(encoded)
        self._paths.append(path)

    def unnote(self) -> None:
        """What was noted last was taken back."""
        self._outgoing.pop()
        self._paths.pop()

    def take_outgoing(self) -> Changes | None:
        """Everything noted since the last time, under a version of its own."""
        if not self._outgoing:
            return None
        self.version += 1
        self._sent.update(dict.fromkeys(self._paths, self.version))
        message = Changes(self.version, self.heard, tuple(self._outgoing))
        self.said.append(message)
        self.forget_outgoing()
        return message

    def forget_outgoing(self) -> None:
        """Nothing noted needs to be said: a whole snapshot is going to be, or nobody is there."""
        self._outgoing, self._paths = [], []

    def restart(self) -> None:
        """A new worker begins from a snapshot."""
        self.version += 1
        self._sent, self._questions, self.said = {}, {}, []
        self.forget_outgoing()

    def received(self, version: int) -> None:
        """Everything up to this version has arrived."""
        self.said = [message for message in self.said if message.version > version]

    def dump(self) -> dict[str, Any]:
        """Everything between two turns, as values that can be encoded."""
        said = [s if isinstance(s, Whole) else [s.version, s.heard, _bytes(s.changes)] for s in self.said]
        return {
            "version": self.version,
            "heard": self.heard,
            "sent": self._sent,
            "questions": self._questions,
            "said": said,
        }

    def load(self, dumped: dict[str, Any]) -> None:
        """Take up what `dump` gave."""
        self.version, self.heard = dumped["version"], dumped["heard"]
        self._sent, self._questions = dict(dumped["sent"]), dict(dumped["questions"])
        self.said = [s if isinstance(s, Whole) else Changes(s[0], s[1], _raw(s[2])) for s in dumped["said"]]

    @property
    def asking(self) -> bool:
        """Whether the worker was asked for a value and has not said it yet: what is here may be older than its words."""
        return bool(self._questions)

    def absorb(self, component: Component, message: Changed) -> list[Whole]:
        """Apply what the work changed; returns what it has to be asked for."""
        seen, self.refused = message.seen, []
        if not self._sent or seen >= self.version:
            self._sent, self._questions = {}, {}
            return [w for change in message.changes if (w := self._fit(component, change)) is not None]
        self._sent = {path: version for path, version in self._sent.items() if version > seen}
        self._questions = {path: version for path, version in self._questions.items() if version > seen}
        return [w for change in message.changes if (w := self._late(component, change)) is not None]

    def _fit(self, component: Component, change: Change) -> Whole | None:
        return None if component._lit_apply(change) else self._refuse(change, change.path[:1])

    def _late(self, component: Component, change: Change) -> Whole | None:
        """A change made without knowledge of something that was said meanwhile."""
        listed = _outermost_list(component, change)
        if listed is None or not self._touches(listed):
            return self._fit(component, change)
        return self._refuse(change, listed)

    def _touches(self, path: Path) -> bool:
        return any(path[: len(sent)] == sent or sent[: len(path)] == path for sent in self._sent)

    def _refuse(self, change: Change, path: Path) -> Whole | None:
        self.refused.append(change)
        return self._ask(path)

    def _ask(self, path: Path) -> Whole | None:
        """Ask for a value again, unless that question is on its way already."""
        if path in self._questions:
            return None
        self.version += 1
        self._sent[path] = self._questions[path] = self.version
        question = Whole(self.version, path)
        self.said.append(question)
        return question


def _bytes(changes: Any) -> list[bytes]:
    return [bytes(change) for change in changes]


def _raw(changes: list[bytes]) -> Any:
    return tuple(Raw(change) for change in changes)


def _outermost_list(component: Component, change: Change) -> Path | None:
    """The path of the first list that this change is in, if it is in one."""
    if change.op == SPLICE:
        found: Path | None = change.path
    else:
        found = None
    holder: Any = component.__dict__
    for depth, key in enumerate(change.path[:-1] if change.op != SPLICE else change.path):
        holder = _step(holder, key)
        if isinstance(holder, TrackedList):
            return change.path[: depth + 1]
        if holder is None:
            break
    return found


def _step(holder: Any, key: Any) -> Any:
    try:
        return dict.get(holder, key) if isinstance(holder, dict) else list.__getitem__(holder, key)
    except (TypeError, IndexError):
        return None
