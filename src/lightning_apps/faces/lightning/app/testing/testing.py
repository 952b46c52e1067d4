"""`lightning.app.testing.testing`."""

from lightning_apps.testing.older_app import LightningTestApp, run_work_isolated
from lightning_apps.testing.older_cloud import delete_cloud_lightning_apps, run_app_in_cloud, wait_for
from lightning_apps.testing.older_command import application_testing

__all__ = [
    "LightningTestApp",
    "application_testing",
    "delete_cloud_lightning_apps",
    "run_app_in_cloud",
    "run_work_isolated",
    "wait_for",
]
