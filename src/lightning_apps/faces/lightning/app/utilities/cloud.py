"""`lightning.app.utilities.cloud`: there is none."""

from lightning_apps.model.legacy import _get_project, is_running_in_cloud

__all__ = ["_get_project", "is_running_in_cloud"]
