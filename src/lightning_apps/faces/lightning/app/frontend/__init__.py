"""`lightning.app.frontend`: what a flow shows."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.frontends.asgi import AsgiFrontend
from lightning_apps.frontends.dash import DashFrontend
from lightning_apps.frontends.gradio import GradioFrontend
from lightning_apps.frontends.justpy import JustPyFrontend
from lightning_apps.frontends.panel import PanelFrontend
from lightning_apps.frontends.static import StaticWebFrontend
from lightning_apps.frontends.streamlit import StreamlitFrontend
from lightning_apps.frontends.wsgi import WsgiFrontend
from lightning_apps.model.layout import Frontend

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
