"""`lightning.app.utilities.app_status`."""

from lightning_apps.base.status import AppStatus, WorkStatus

__all__ = ["AppStatus", "WorkStatus"]
