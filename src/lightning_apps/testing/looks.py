"""What a test sees of an app: its state, its calls, its output and the reasons for what it did.  Moves nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..base.errors import KitError
from ..core.story import Story
from .calls_told import CallMade, CallsMade
from .clock import VirtualClock
from .names import find
from .origin import Origin
from .stage import Stage
from .terminal import Terminal

__tracebackhide__ = True  # for pytest: a test's author is shown the test


class Looks:
    """The part of AppTest that only looks."""

    stage: Stage
    clock: VirtualClock
    _origin: Origin
    _terminal: Terminal

    @property
    def root(self) -> Any:
        """The root flow."""
        return self.stage.host.coordinator.root

    @property
    def state(self) -> dict[str, Any]:
        """The state of everything, in the shape of `LightningApp.state_vars`: plain values, a copy."""
        return self.stage.host.app.state_vars

    @property
    def values(self) -> dict[str, dict[str, Any]]:
        """The attributes of every component by its full name, without what the framework keeps in the state: for snapshots."""
        tree = self.stage.host.coordinator.tree
        return {
            name: {key: value for key, value in component._lit_vars().items() if key[0] != "_"}
            for name, component in sorted(tree.items())
        }

    @property
    def exit_code(self) -> int | None:
        """None while the app runs."""
        exit = self.stage.host.exit
        return None if exit is None else exit.code

    @property
    def now(self) -> datetime:
        """What time it is."""
        return self.clock.now

    @property
    def output(self) -> str:
        """Everything that was printed, by the flow, by works that ran inline and by the framework."""
        return self._terminal.text

    @property
    def calls(self) -> list[CallMade]:
        """Every call of every work so far, in the order in which they were asked for."""
        with self._origin.present():  # for classes of the app file among the arguments
            return CallsMade().follow(self.stage.journal.records())

    def why(self, work: str, call: str | int = "") -> str:
        """Why a work ran, waits, failed or did not run: what `lightning why` would say.

        Args:
            call: its number; the one that was asked for last if not given.
        """
        name = (
            work
            if work in {each.work for each in self.calls}
            else find(work, self.stage.host.coordinator.crew.lives, "work")
        )
        story = Story(name).follow(self.stage.journal.records())
        found = story.find(str(call))
        if call and found is None:
            raise KitError(f"{name} has no call {call}; it has {', '.join(map(str, story.calls)) or 'none'}.")
        lines = [story.verdict(found, self.exit_code is None, self.clock.wall())]
        return "\n".join(lines + [f"  turn {each.turn}: {each.text}" for each in story.of(found)])


__all__ = ["Looks"]
