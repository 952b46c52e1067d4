"""The app's state as a parameter of Panel's kind: what depends on it is drawn again when the app changes.  Needs `param`."""

from __future__ import annotations

import functools
from typing import Any

import param

from ..client.state import AppState


class AppStateWatcher(param.Parameterized):  # type: ignore[misc]
    """Follows the state of the flow that a Panel page belongs to; there is one in a process.

    Attributes:
        state: an AppState; another one after each change of the app.

    Example:
        watcher = AppStateWatcher()
        shown = pn.bind(lambda state: f"Count: {state.count}", watcher.param.state)
    """

    state: Any = param.ClassSelector(class_=AppState, constant=True, doc="The state of the flow.")

    def __new__(cls) -> Any:
        kind: Any = cls
        return _only(kind)

    def __init__(self) -> None:
        if "_end" not in vars(self):
            now = AppState()
            super().__init__(name="singleton", state=now)
            self._end = now.watch(self._changed)

    def _changed(self) -> None:
        with param.edit_constant(self):
            self.state = AppState()


@functools.cache
def _only(kind: Any) -> Any:
    return object.__new__(kind)
