"""Asks the exchange of a run, patiently: a host that was killed is followed by another at the same address.  Knows no question."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ..base.errors import ProtocolError, StorageError, Unreachable
from .exchange import Caller

WAIT = 3600.0  # seconds: the answer to what was handed over comes when the run has the content
PATIENCE = 30.0  # seconds
PAUSE, LONGEST = 0.05, 1.0  # seconds between tries
QUIET = 5.0  # seconds without an answer after which people are told


def on_stderr(line: str) -> None:
    """To the work's own error output, which the terminal shows."""
    sys.stderr.write(f"{line}\n")


class Asking:
    """One caller after the other, as often as it takes.

    Args:
        address, token: of the exchange.
        patience: seconds to go on trying while it does not answer.
        sleep, clock: let seconds pass, and count them.
        say: takes lines for people.
    """

    def __init__(
        self,
        address: str,
        token: bytes,
        patience: float = PATIENCE,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = on_stderr,
    ) -> None:
        self.address, self._token, self._patience = address, token, patience
        self._sleep, self._clock, self._say = sleep, clock, say
        self._shown = address.partition("#")[0]
        self._lock = threading.Lock()
        self._idle: list[Caller] = []

    def ask(self, *question: Any) -> Any:
        """What it answers; asked again, maybe a second time, where the connection broke.

        Raises:
            StorageError: it could not do what was asked.
            Unreachable: it did not answer for too long.
        """
        began, pause, told = self._clock(), PAUSE, False
        while True:
            try:
                return self._once(question)
            except StorageError:
                raise  # that is an answer
            except (OSError, ProtocolError) as error:
                waited, reason = self._clock() - began, str(error).rstrip(".")
            if waited >= self._patience:
                raise Unreachable(f"The app's exchange at {self._shown} has not answered for {waited:.0f} s: {reason}.")
            if waited >= QUIET and not told:
                told = True
                self._say(
                    f"The app's exchange at {self._shown} does not answer ({reason}); trying for {self._patience:.0f} s."
                )
            self._sleep(pause)
            pause = min(pause * 2, LONGEST)

    def _once(self, question: tuple[Any, ...]) -> Any:
        while (caller := self._unused()) is not None:
            try:
                return self._with(caller, question)
            except StorageError:
                raise
            except (OSError, ProtocolError):
                continue  # it was hung up while nobody used it
        return self._with(Caller(self.address, self._token, WAIT), question)

    def _unused(self) -> Caller | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _with(self, caller: Caller, question: tuple[Any, ...]) -> Any:
        try:
            answer = caller.ask(*question)
        except StorageError:
            self._keep(caller)
            raise
        except BaseException:
            caller.close()
            raise
        self._keep(caller)
        return answer

    def _keep(self, caller: Caller) -> None:
        with self._lock:
            self._idle.append(caller)
