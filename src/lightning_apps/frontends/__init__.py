"""The frontends that come with the framework; each shows something a user wrote.  Knows nothing of the host."""

from __future__ import annotations

from .asgi import AsgiFrontend
from .base import Frontend
from .dash import DashFrontend
from .gradio import GradioFrontend
from .justpy import JustPyFrontend
from .panel import PanelFrontend
from .static import StaticWebFrontend
from .streamlit import StreamlitFrontend
from .wsgi import WsgiFrontend

__all__ = [
    "AsgiFrontend", "DashFrontend", "Frontend", "GradioFrontend", "JustPyFrontend", "PanelFrontend", "StaticWebFrontend",
    "StreamlitFrontend", "WsgiFrontend",
]  # fmt: skip
