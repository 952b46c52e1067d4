"""`lightning.app.utilities.commands`."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.model.api import ClientCommand

if TYPE_CHECKING:
    from . import base as base
else:
    __getattr__ = submodules(__name__)

__all__ = ["ClientCommand"]
