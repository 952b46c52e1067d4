"""`lightning.app.frontend.web`."""

from lightning_apps.frontends.static import StaticWebFrontend

__all__ = ["StaticWebFrontend"]
