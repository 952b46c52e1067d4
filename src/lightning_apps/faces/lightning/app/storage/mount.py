"""`lightning.app.storage.mount`."""

from lightning_apps.model.mount import Mount

__all__ = ["Mount"]
