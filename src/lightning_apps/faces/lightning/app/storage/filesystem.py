"""`lightning.app.storage.filesystem`."""

from lightning_apps.storage.filesystem import FileSystem

__all__ = ["FileSystem"]
