"""`lightning.app.core.flow`."""

from lightning_apps.model.flow import LightningFlow

__all__ = ["LightningFlow"]
