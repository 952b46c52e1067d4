"""`lightning.app.core`."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.faces.running import LightningApp
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.work import LightningWork

if TYPE_CHECKING:
    from . import app as app
    from . import constants as constants
    from . import flow as flow
    from . import work as work
else:
    __getattr__ = submodules(__name__)

__all__ = ["LightningApp", "LightningFlow", "LightningWork"]
