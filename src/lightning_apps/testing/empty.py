"""Components that do nothing, to stand where a test needs some component.  They know nothing."""

from __future__ import annotations

from ..model.flow import LightningFlow
from ..model.work import LightningWork

__all__ = ["EmptyFlow", "EmptyWork"]


class EmptyFlow(LightningFlow):
    """A flow whose `run` does nothing."""

    def run(self) -> None:
        """Nothing."""


class EmptyWork(LightningWork):
    """A work whose `run` does nothing."""

    def run(self) -> None:
        """Nothing."""
