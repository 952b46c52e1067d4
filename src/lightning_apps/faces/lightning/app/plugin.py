"""`lightning.app.plugin`: of a cloud that is gone."""

from lightning_apps.model.legacy import LightningPlugin

__all__ = ["LightningPlugin"]
