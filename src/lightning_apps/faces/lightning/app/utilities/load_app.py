"""`lightning.app.utilities.load_app`."""

from lightning_apps.host.runtimes import load_app_from_file

__all__ = ["load_app_from_file"]
