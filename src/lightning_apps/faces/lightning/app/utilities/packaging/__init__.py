"""`lightning.app.utilities.packaging`."""

from typing import TYPE_CHECKING

from lightning_apps.components.app_config import AppConfig
from lightning_apps.faces.lazy import submodules
from lightning_apps.model.compute import BuildConfig, CloudCompute

if TYPE_CHECKING:
    from . import app_config as app_config
    from . import build_config as build_config
    from . import cloud_compute as cloud_compute
else:
    __getattr__ = submodules(__name__)

__all__ = ["AppConfig", "BuildConfig", "CloudCompute"]
