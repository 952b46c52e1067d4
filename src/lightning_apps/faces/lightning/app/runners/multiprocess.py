"""`lightning.app.runners.multiprocess`."""

from lightning_apps.host.runtimes import MultiProcessRuntime

__all__ = ["MultiProcessRuntime"]
