"""`lightning.app.cli.commands.connection`."""

from lightning_apps.cli.connect import connect, disconnect
from lightning_apps.cli.older import retrieve_connection as _retrieve_connection_to_an_app

__all__ = ["_retrieve_connection_to_an_app", "connect", "disconnect"]
