"""`LightningApp` as users get it: its `run` knows the host that runs it.  The model itself may not."""

from __future__ import annotations

from typing import Any

from ..model.app import LightningApp

__all__ = ["LightningApp"]


def run_app(app: LightningApp, **options: Any) -> int:
    """Run `app` in this process; the exit code."""
    from ..host.dispatch import run_app  # the host costs what importing `lightning` should not

    return run_app(app, **options)


LightningApp.runner = staticmethod(run_app)
