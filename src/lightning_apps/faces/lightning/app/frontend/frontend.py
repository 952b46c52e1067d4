"""`lightning.app.frontend.frontend`."""

from lightning_apps.frontends import Frontend

__all__ = ["Frontend"]
