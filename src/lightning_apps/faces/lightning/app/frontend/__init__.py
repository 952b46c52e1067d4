"""`lightning.app.frontend`: what a flow shows."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.frontends import (
    AsgiFrontend,
    DashFrontend,
    Frontend,
    GradioFrontend,
    JustPyFrontend,
    PanelFrontend,
    StaticWebFrontend,
    StreamlitFrontend,
    WsgiFrontend,
)

if TYPE_CHECKING:
    from lightning_apps.components.state_watcher import AppStateWatcher as AppStateWatcher

    from . import frontend as frontend
    from . import just_py as just_py
    from . import panel as panel
    from . import stream_lit as stream_lit
    from . import web as web
else:
    __getattr__ = submodules(__name__, AppStateWatcher="lightning_apps.components.state_watcher")

__all__ = [
    "AsgiFrontend",
    "DashFrontend",
    "Frontend",
    "GradioFrontend",
    "JustPyFrontend",
    "PanelFrontend",
    "StaticWebFrontend",
    "StreamlitFrontend",
    "WsgiFrontend",
]
