"""`lightning.app.frontend.just_py`."""

from lightning_apps.frontends.justpy import JustPyFrontend

__all__ = ["JustPyFrontend"]
