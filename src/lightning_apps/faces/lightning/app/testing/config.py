"""`lightning.app.testing.config`: `Config` is its earlier spelling."""

from lightning_apps.testing.older_cloud import _Config
from lightning_apps.testing.older_cloud import _Config as Config

__all__ = ["Config", "_Config"]
