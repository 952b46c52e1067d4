"""`lightning.app.frontend.stream_lit`."""

from lightning_apps.frontends.streamlit import StreamlitFrontend

__all__ = ["StreamlitFrontend"]
