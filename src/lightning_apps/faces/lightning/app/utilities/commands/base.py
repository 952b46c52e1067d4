"""`lightning.app.utilities.commands.base`."""

from lightning_apps.model.api import ClientCommand

__all__ = ["ClientCommand"]
