"""`lightning.app.storage.drive`."""

from lightning_apps.storage.drive import Drive

__all__ = ["Drive"]
