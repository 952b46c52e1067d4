"""Signals of the host: which reach it, from whom, and how they interrupt the flow.  Knows nothing of ending an app.

Run by `lightning run`, the host is in the terminal's foreground group (so that a debugger in a flow can read the
terminal) but does not act on the terminal's SIGINT: the keeper does, and passes it on as `INTERRUPT`.  That is SIGURG,
which programs ignore unless they ask for it, so it does no harm in the moments before and after a handler is there.
SIGTERM and SIGHUP are passed on as themselves.  An embedded host (`app.run()`) listens to all of them itself.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

INTERRUPT = signal.SIGURG
NAMES = {INTERRUPT: "SIGINT", signal.SIGINT: "SIGINT", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


def left_to_keeper(number: int, frame: FrameType | None) -> None:
    """The handler of SIGINT where a keeper listens to it (SIG_IGN would be inherited by the flow's own children)."""


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """The handler of INTERRUPT while no host is there yet to say otherwise."""
    raise KeyboardInterrupt


def listen_to_keeper() -> None:
    """Leave the terminal's Ctrl-C to the keeper and let its INTERRUPT raise KeyboardInterrupt."""
    signal.signal(signal.SIGINT, left_to_keeper)
    signal.signal(INTERRUPT, raise_interrupt)


def install(on_interrupt: Callable[[str], None]) -> Callable[[], None]:
    """Call `on_interrupt("SIGINT" | "SIGTERM" | "SIGHUP")` in the main thread, within the signal's handler.

    Returns:
        a function that puts the former handlers back.  In another thread than the main one nothing is installed.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    def handle(number: int, frame: FrameType | None) -> None:
        on_interrupt(NAMES[signal.Signals(number)])

    wanted = [number for number in NAMES if signal.getsignal(number) is not left_to_keeper]
    former: dict[int, Any] = {number: signal.signal(number, handle) for number in wanted}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    return restore
