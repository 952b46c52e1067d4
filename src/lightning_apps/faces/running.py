"""`LightningApp` as users get it: its `run` knows the host that runs it.  The model itself may not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..model.app import LightningApp

__all__ = ["LightningApp"]


def run_app(app: LightningApp, **options: Any) -> int:
    """Run `app` in this process; the exit code."""
    host = import_module("lightning_apps.host.dispatch")  # costs what importing `lightning` should not
    code: int = host.run_app(app, **options)
    return code


LightningApp.runner = run_app
