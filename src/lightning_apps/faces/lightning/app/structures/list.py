"""`lightning.app.structures.list`."""

from lightning_apps.model.containers import List

__all__ = ["List"]
