"""`lightning.app.utilities.packaging.app_config`."""

from lightning_apps.components.app_config import APP_CONFIG_FILENAME as _APP_CONFIG_FILENAME
from lightning_apps.components.app_config import AppConfig

__all__ = ["_APP_CONFIG_FILENAME", "AppConfig"]
