"""`lightning.app.core`."""

from lightning_apps.faces.running import LightningApp
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.work import LightningWork

__all__ = ["LightningApp", "LightningFlow", "LightningWork"]
