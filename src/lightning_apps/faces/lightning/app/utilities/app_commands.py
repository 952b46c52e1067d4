"""`lightning.app.utilities.app_commands`."""

from lightning_apps.host.runtimes import run_app_commands

__all__ = ["run_app_commands"]
