"""`lightning.app.frontend.panel`."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.frontends.panel import PanelFrontend

if TYPE_CHECKING:
    from lightning_apps.components.state_watcher import AppStateWatcher as AppStateWatcher
else:
    __getattr__ = submodules(__name__, AppStateWatcher="lightning_apps.components.state_watcher")

__all__ = ["PanelFrontend"]
