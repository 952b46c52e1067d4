"""`lightning.app.storage`."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.model.mount import Mount

if TYPE_CHECKING:
    from . import mount as mount
else:
    __getattr__ = submodules(__name__)

__all__ = ["Mount"]
