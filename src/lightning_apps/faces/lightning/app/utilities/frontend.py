"""`lightning.app.utilities.frontend`."""

from lightning_apps.model.info import AppInfo

__all__ = ["AppInfo"]
