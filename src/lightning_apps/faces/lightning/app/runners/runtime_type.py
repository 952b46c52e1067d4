"""`lightning.app.runners.runtime_type`."""

from lightning_apps.host.runtimes import RuntimeType

__all__ = ["RuntimeType"]
