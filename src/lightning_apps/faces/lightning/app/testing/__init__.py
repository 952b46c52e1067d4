"""`lightning.app.testing`: what tests of apps are written with."""

from lightning_apps.base.errors import AppNeverRests, AppWaits, InvariantBroken, KitError, WorkFailed
from lightning_apps.testing.app_test import AppTest

__all__ = ["AppNeverRests", "AppTest", "AppWaits", "InvariantBroken", "KitError", "WorkFailed"]
