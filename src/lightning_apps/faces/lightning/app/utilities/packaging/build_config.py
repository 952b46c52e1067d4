"""`lightning.app.utilities.packaging.build_config`."""

from lightning_apps.model.build import BuildConfig

__all__ = ["BuildConfig"]
