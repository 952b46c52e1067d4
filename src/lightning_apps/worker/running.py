"""Runs the calls of a work, one at a time, and the hooks around them; says where each has got to.  Knows nothing of the flow."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any

from ..base import messages as m
from ..base.errors import CannotKeep, WorkStopped, WrongPlace
from ..base.messages import Failure
from ..base.status import WorkFailureReasons as Why
from ..base.status import WorkStageStatus as Stage
from ..base.traces import user_traceback
from ..model.work import LightningWork
from .baggage import Baggage
from .halt import Halt
from .hearing import Hearing
from .unspoken import Unspoken
from .voice import Voice


class Running:
    """The call under way, if there is one.

    Attributes:
        current: its order.
        kept: its checkpoint.
        raised: what the call that failed last had raised.
    """

    def __init__(
        self,
        work: LightningWork,
        voice: Voice,
        unspoken: Unspoken,
        hearing: Hearing,
        halt: Halt,
        wall: Callable[[], float],
        files: Baggage,
    ) -> None:
        self._work, self._voice, self._unspoken, self._hearing = work, voice, unspoken, hearing
        self._halt, self._wall, self._files = halt, wall, files
        self._plain_class = type(work)
        self.current: m.Run | None = None
        self.kept: dict[str, Any] | None = None
        self.raised: BaseException | None = None

    def begin(self) -> None:
        """`on_start`, then ready for calls."""
        self._halt.runs_here()
        try:
            self._work._lit_settle_in()
            self._work.on_start()
            self._unspoken.sweep()
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self.ready(error)
        else:
            self.ready()

    def ready(self, error: BaseException | None = None) -> None:
        """Calls may come, or `on_start` has raised."""
        self.raised = error
        failure = None if error is None else Failure(Why.USER_EXCEPTION, user_traceback(error), type(error).__name__)
        self._voice.say(m.Ready(self._wall(), failure))

    def run(self, order: m.Run) -> None:
        """One call, from its first status to its last."""
        self.take(order)
        self.go_on(order)

    def go_on(self, order: m.Run) -> None:
        """Run the call that `take` has begun, to its last status."""
        self.current = order
        try:
            self._hearing.settle_in()
            args, kwargs = self._files.unpack(*pickle.loads(order.arguments))
            value = self._plain_class.run.plain(self._work, *args, **kwargs)  # type: ignore[attr-defined]
            self._unspoken.sweep()
            self._files.hand_over()
            self._succeeded(order, value)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self._failed(order, error)
            self._on_exception(error)
        finally:
            self.current = None

    def take(self, order: m.Run) -> None:
        """A call begins."""
        self._halt.runs_here()
        self.current, self.kept = order, order.checkpoint
        self._voice.say(m.Moved(order.ordinal, order.attempt, Stage.RUNNING, self._wall()))

    def give(self, value: Any = None, error: BaseException | None = None) -> None:
        """The call under way ends with a value, or with what it raised; none of the work's own code is run for it."""
        order, self.current = self.current, None
        if order is None:
            raise WrongPlace(f"{self._work.name} has no call under way that could end.")
        if error is not None:
            self._failed(order, error)
            return
        self._unspoken.sweep()
        self._succeeded(order, value)

    def _succeeded(self, order: m.Run, value: Any) -> None:
        try:
            self._voice.say(m.Moved(order.ordinal, order.attempt, Stage.SUCCEEDED, self._wall(), value))
        except CannotKeep:
            text = (
                f"{self._work.name} returned a {type(value).__module__}.{type(value).__qualname__}, which cannot be kept: "
                "return what can be state (numbers, text, lists, dicts, tuples, dataclasses, arrays), "
                "or hand it over as a Payload attribute."
            )
            failure = Failure(Why.INVALID_RETURN_VALUE, text, "CannotKeep")
            self._voice.say(m.Moved(order.ordinal, order.attempt, Stage.FAILED, self._wall(), None, failure))

    def _failed(self, order: m.Run, error: BaseException) -> None:
        self.raised, text = error, user_traceback(error)
        self._unspoken.sweep_quietly()
        exit_code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else None
        failure = Failure(Why.USER_EXCEPTION, text, type(error).__name__, exit_code)
        self._voice.say(m.Moved(order.ordinal, order.attempt, Stage.FAILED, self._wall(), None, failure))

    def _on_exception(self, error: BaseException) -> None:
        try:
            self._work.on_exception(error)
        except BaseException as again:
            if again is not error and not isinstance(again, WorkStopped):
                sys.stderr.write(user_traceback(again))
            elif isinstance(again, WorkStopped):
                raise

    def terminate(self, on_exit: bool = True) -> None:
        """`on_exit` if wanted, and what it changed is said; nothing is run after it."""
        if self._halt.exiting:
            return
        self._halt.exiting = True
        try:
            if on_exit:
                self._work.on_exit()
        except Exception as error:
            sys.stderr.write(user_traceback(error))
        self._unspoken.sweep_quietly()
        if self.current is not None:
            self._files.hand_over_quietly()
            self._voice.say(m.Moved(self.current.ordinal, self.current.attempt, Stage.STOPPED, self._wall()))
        with self._voice.lock:
            self._voice.flush()

    def end(self) -> None:
        """What is not said yet is said."""
        self._unspoken.sweep_quietly()
        with self._voice.lock:
            self._voice.flush()

    def checkpoint(self, values: dict[str, Any]) -> None:
        """Keep something for the next attempt of this call; what the work has changed so far is kept by the flow's side first."""
        if self.current is None:
            raise WrongPlace(f"{self._work.name}.checkpoint() can be called only while run() is under way.")
        self._unspoken.sweep()
        self.kept = dict(values)
        self._voice.say(m.Checkpoint(self.current.ordinal, self.current.attempt, self.kept))
