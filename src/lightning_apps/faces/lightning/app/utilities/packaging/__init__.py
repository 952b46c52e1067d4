"""`lightning.app.utilities.packaging`."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules

if TYPE_CHECKING:
    from . import build_config as build_config
    from . import cloud_compute as cloud_compute
else:
    __getattr__ = submodules(__name__)
