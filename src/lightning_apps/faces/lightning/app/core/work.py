"""`lightning.app.core.work`."""

from lightning_apps.model.work import LightningWork

__all__ = ["LightningWork"]
