"""`lightning.app.structures.dict`."""

from lightning_apps.model.containers import Dict

__all__ = ["Dict"]
