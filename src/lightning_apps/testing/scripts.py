"""What a play did to each call, for attempts that are made again after a death, as real works would do it again.  Knows no play."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..core.coordinator import Coordinator
from .played_worker import PlayedWorker

Action = Callable[[PlayedWorker], object]


class Script(msgspec.Struct):
    """One attempt of a call, as it was played.

    Attributes:
        successes: how many calls of the work had succeeded before it.
        error: what it raised in the end.
        ended: it has come to its end.
    """

    successes: int
    actions: list[Action] = []
    error: BaseException | None = None
    ended: bool = False


class Scripts:
    """The latest script of every call.

    Args:
        host: the coordinator there is now.
    """

    def __init__(self, host: Callable[[], Coordinator]) -> None:
        self._host = host
        self._scripts: dict[tuple[str, int], Script] = {}

    def note(self, worker: PlayedWorker, action: Action, ends: bool, error: BaseException | None) -> None:
        """The play is about to do this to the call under way."""
        if worker.order is None:
            return
        key = (worker.name, worker.order.ordinal)
        script = self._scripts.get(key)
        if script is None or script.ended:
            script = self._scripts[key] = Script(self._successes(worker))
        script.actions.append(action)
        script.ended, script.error = ends, error

    def began(self, worker: PlayedWorker) -> None:
        """An attempt begins: what was played in one that was lost is played again."""
        if worker.order is None:
            return
        script = self._scripts.get((worker.name, worker.order.ordinal))
        if script is not None and not self._counted(worker, script):
            for action in script.actions:
                action(worker)

    def _counted(self, worker: PlayedWorker, script: Script) -> bool:
        """Whether the end of this script is known to the host: the attempt that begins is another one."""
        if not script.ended:
            return False
        life = self._host().crew.lives.get(worker.name)
        if life is None or life.calls.successes > script.successes:
            return True
        failure = life.calls.active.failure if life.calls.active is not None else None
        return script.error is not None and failure is not None and failure.kind == type(script.error).__name__

    def _successes(self, worker: PlayedWorker) -> int:
        life = self._host().crew.lives.get(worker.name)
        return life.calls.successes if life is not None else 0
