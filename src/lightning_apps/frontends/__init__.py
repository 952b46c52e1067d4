"""The frontends that come with the framework; each shows something a user wrote.  Knows nothing of the host."""

from __future__ import annotations

from .base import Frontend
from .justpy import JustPyFrontend
from .panel import PanelFrontend
from .static import StaticWebFrontend
from .streamlit import StreamlitFrontend

__all__ = ["Frontend", "JustPyFrontend", "PanelFrontend", "StaticWebFrontend", "StreamlitFrontend"]
