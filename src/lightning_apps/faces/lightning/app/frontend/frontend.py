"""`lightning.app.frontend.frontend`."""

from lightning_apps.model.layout import Frontend

__all__ = ["Frontend"]
