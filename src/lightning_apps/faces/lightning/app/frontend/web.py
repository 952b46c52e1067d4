"""`lightning.app.frontend.web`."""

from lightning_apps.frontends import StaticWebFrontend

__all__ = ["StaticWebFrontend"]
