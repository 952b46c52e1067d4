"""The engine of this machine for those that place elsewhere: nothing is ever placed here."""

from __future__ import annotations

from typing import Any

from lightning_apps.base.messages import EngineClosed
from lightning_apps.ports import Observed, Placement, Survey


class Near:
    """There is nothing on it."""

    closed = False

    def open(self, report: Any, watch: Any) -> None:
        self.report = report

    def survey(self) -> Survey:
        return Survey()

    def follow(self, order: Placement) -> None:
        """Nobody reads along."""

    unfollow = follow

    def progressed(self) -> None:
        """Nobody starts a host again."""

    def close(self, grace: float) -> None:
        self.closed = True
        self.report(EngineClosed())

    def stop(self, place: str, grace: float) -> None:
        """Nobody is known here."""

    def observe(self, place: str) -> Observed:
        return Observed("unknown")
