"""How a component reaches the process it lives in.  Unbound, it is a plain Python object that simply runs."""

from __future__ import annotations

import socket
import time
import types
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from ..base.encoding import encode
from ..base.errors import CannotKeep, NotAttached
from ..base.status import WorkStatus
from .retry import Policy

# What is bound here is defined in terms of its binding, so it cannot be imported: flows and works are named, not typed.
Component: TypeAlias = Any
LightningFlow: TypeAlias = Any
LightningWork: TypeAlias = Any


class Binding(Protocol):
    """What a component needs from the coordinator (in the host) or from the session (in a worker)."""

    context: str  # "flow", "work", or "" outside of any app
    files: Any  # what a work hands over and is handed, which paths and payloads ask; None but in a work's process

    def moved(self, component: Component, path: tuple[Any, ...], op: int, value: Any, old: Any) -> None:
        """A path of the component's state took a value (already stored) in the place of `old`."""

    def check_thread(self, component: Component) -> None:
        """Raise where this thread may not assign state."""

    def attached(self, child: Component) -> None: ...
    def detached(self, child: Component) -> None: ...
    def arranged(self, flow: Component, name: str, kind: str) -> None:
        """An attribute is about to hold a structure ("List", "Dict"), or its structure no more ("")."""

    def call(
        self,
        work: LightningWork,
        plain: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        policy: Policy | None = None,
    ) -> Any: ...
    def start(self, work: LightningWork) -> None: ...
    def stop(self, work: LightningWork, delete: bool = False) -> None: ...
    def retry(self, work: LightningWork) -> None: ...
    def statuses(self, work: LightningWork) -> list[WorkStatus]: ...
    def calls(self, component: Component) -> dict[str, Any]: ...
    def attempt(self, work: LightningWork) -> int: ...
    def checkpoint(self, work: LightningWork, values: dict[str, Any]) -> None: ...
    def last_checkpoint(self, work: LightningWork) -> dict[str, Any] | None: ...
    def successes(self, work: LightningWork) -> int: ...
    def timeouts(self, work: LightningWork) -> int: ...
    def port(self, work: LightningWork) -> int: ...
    def schedule(
        self, flow: LightningFlow, code: types.CodeType, line: int, user_key: str | None, pattern: str, start: Any
    ) -> bool: ...


class Unbound:
    """No app: works run here and now, results are remembered per arguments if `cache_calls`."""

    context = ""
    files = None
    app_runs = False  # in the host of a running app, a work that is in no flow has nobody to run it

    def moved(self, component: Component, path: tuple[Any, ...], op: int, value: Any, old: Any) -> None:
        """Nobody is watching."""

    def check_thread(self, component: Component) -> None:
        """Any thread will do."""

    def attached(self, child: Component) -> None:
        """Known to its parent; that is all."""

    def detached(self, child: Component) -> None:
        """Forgotten by its parent; that is all."""

    def arranged(self, flow: Component, name: str, kind: str) -> None:
        """Nobody remembers."""

    def call(
        self,
        work: LightningWork,
        plain: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        policy: Policy | None = None,
    ) -> Any:
        if self.app_runs:
            raise NotAttached(
                f"Failed to create process for {type(work).__name__}. Make sure to set this work as an attribute of a "
                "`LightningFlow` before calling the run method."
            )
        if not work.cache_calls:
            return plain(work, *args, **kwargs)
        key = _direct_key(args, kwargs)
        if key not in work._lit_results:
            work._lit_results[key] = plain(work, *args, **kwargs)
        return work._lit_results[key]

    def start(self, work: LightningWork) -> None:
        self._nothing_runs(work, "start")

    def stop(self, work: LightningWork, delete: bool = False) -> None:
        self._nothing_runs(work, "delete" if delete else "stop")

    def retry(self, work: LightningWork) -> None:
        self._nothing_runs(work, "retry")

    def _nothing_runs(self, work: LightningWork, what: str) -> None:
        raise NotAttached(
            f"Can't {what} {work.name or type(work).__name__}: it isn't attached to a LightningFlow of a running app. "
            "Assign it to an attribute of a flow and run the app."
        )

    def statuses(self, work: LightningWork) -> list[WorkStatus]:
        return []

    def calls(self, component: Component) -> dict[str, Any]:
        results = getattr(component, "_lit_results", None)
        shape: dict[str, Any] = {} if results is None else {"latest_call_hash": None}
        shape.update({key: {"ret": value} for key, value in (results or {}).items()})
        return shape

    def attempt(self, work: LightningWork) -> int:
        return 0

    def checkpoint(self, work: LightningWork, values: dict[str, Any]) -> None:
        work._lit_checkpoint = values

    def last_checkpoint(self, work: LightningWork) -> dict[str, Any] | None:
        found: dict[str, Any] | None = work._lit_checkpoint
        return found

    def successes(self, work: LightningWork) -> int:
        return len(work._lit_results)

    def timeouts(self, work: LightningWork) -> int:
        return 0

    def port(self, work: LightningWork) -> int:
        return free_port()

    def schedule(
        self, flow: LightningFlow, code: types.CodeType, line: int, user_key: str | None, pattern: str, start: Any
    ) -> bool:
        return True


class Departed(Unbound):
    """The component was part of a running app and left it: ending it once more changes nothing."""

    app_runs = True

    def stop(self, work: LightningWork, delete: bool = False) -> None:
        """Its process was ended when it left."""


UNBOUND = Unbound()
DEPARTED = Departed()


def _direct_key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    try:
        return encode([list(args), [[name, kwargs[name]] for name in sorted(kwargs)]]).hex()
    except CannotKeep:
        return repr((args, sorted(kwargs.items())))


def free_port() -> int:
    """A TCP port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def now() -> float:
    """Seconds since the epoch, for the status of a work that nobody runs."""
    return time.time()
