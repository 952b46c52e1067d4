"""`lightning.app.frontend.panel`."""

from lightning_apps.frontends import PanelFrontend

__all__ = ["PanelFrontend"]
