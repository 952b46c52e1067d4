"""`lightning.app.runners.runtime`."""

from lightning_apps.host.runtimes import Runtime, dispatch

__all__ = ["Runtime", "dispatch"]
