"""`lightning.app.runners.runtime_type`."""

from lightning_apps.model.legacy import RuntimeType

__all__ = ["RuntimeType"]
