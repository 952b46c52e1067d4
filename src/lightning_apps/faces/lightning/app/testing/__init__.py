"""`lightning.app.testing`: what tests of apps are written with."""

from lightning_apps.base.errors import AppNeverRests, AppWaits, InvariantBroken, KitError, WorkFailed
from lightning_apps.testing.app_test import AppTest
from lightning_apps.testing.empty import EmptyFlow, EmptyWork
from lightning_apps.testing.explore import explore
from lightning_apps.testing.interleave import interleave
from lightning_apps.testing.older_app import LightningTestApp, run_work_isolated
from lightning_apps.testing.older_cloud import delete_cloud_lightning_apps, run_app_in_cloud, wait_for
from lightning_apps.testing.older_command import application_testing

__all__ = [
    "AppNeverRests",
    "AppTest",
    "AppWaits",
    "EmptyFlow",
    "EmptyWork",
    "InvariantBroken",
    "KitError",
    "LightningTestApp",
    "WorkFailed",
    "application_testing",
    "delete_cloud_lightning_apps",
    "explore",
    "interleave",
    "run_app_in_cloud",
    "run_work_isolated",
    "wait_for",
]
