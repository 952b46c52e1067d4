"""`lightning.app.cli.commands.logs`."""

from lightning_apps.cli.older import show_logs as _show_logs
from lightning_apps.cli.remote import logs

__all__ = ["_show_logs", "logs"]
