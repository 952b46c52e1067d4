"""`lightning.app.frontend.stream_lit`."""

from lightning_apps.frontends import StreamlitFrontend

__all__ = ["StreamlitFrontend"]
