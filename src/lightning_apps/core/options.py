"""What the coordinator is told of the settings, and what of the outside it may ask for.  Reads no settings itself."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import tzinfo
from typing import Any

import msgspec


def _stepped(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """For coroutines that wait for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("This coroutine waits for something, and there is no event loop here.")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the coordinator is told of the settings, and the few things of the outside that it may ask for.

    Attributes:
        tick: seconds between wakes of the flow without a reason; None: never.
        pace_after, pace_fastest, pace_slowest: see `base.settings`.
        history: settled calls kept per work.
        free_port: hands out a port.
        thread: identifies the current thread.
        zone: the time zone of schedules; None: this machine's local time.
        finish: runs a coroutine to its end, for handlers of requests that are `async`.
    """

    tick: float | None = None
    pace_after: int = 100
    pace_fastest: float = 0.001
    pace_slowest: float = 0.1
    history: int = 1000
    lost_limit: int = 5
    strict: bool = False
    free_port: Callable[[], int] = lambda: 0
    thread: Callable[[], int] = lambda: 0
    zone: tzinfo | None = None
    finish: Callable[[Coroutine[Any, Any, Any]], Any] = _stepped
