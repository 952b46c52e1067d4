"""`lightning.app.core.app`."""

from lightning_apps.faces.running import LightningApp

__all__ = ["LightningApp"]
