"""`lightning.app.testing`: what tests of apps are written with."""

from typing import TYPE_CHECKING

from lightning_apps.base.errors import AppNeverRests, AppWaits, InvariantBroken, KitError, WorkFailed
from lightning_apps.faces.lazy import elsewhere
from lightning_apps.testing.app_test import AppTest
from lightning_apps.testing.empty import EmptyFlow, EmptyWork
from lightning_apps.testing.explore import explore
from lightning_apps.testing.interleave import interleave

if TYPE_CHECKING:
    from lightning_apps.testing.older_app import LightningTestApp, run_work_isolated
    from lightning_apps.testing.older_cloud import delete_cloud_lightning_apps, run_app_in_cloud, wait_for
    from lightning_apps.testing.older_command import application_testing

    from . import config as config
    from . import helpers as helpers
    from . import testing as testing
else:
    kit = "lightning_apps.testing"
    __getattr__ = elsewhere(
        __name__,
        {
            "LightningTestApp": f"{kit}.older_app",
            "run_work_isolated": f"{kit}.older_app",
            "delete_cloud_lightning_apps": f"{kit}.older_cloud",
            "run_app_in_cloud": f"{kit}.older_cloud",
            "wait_for": f"{kit}.older_cloud",
            "application_testing": f"{kit}.older_command",
        },
    )

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
