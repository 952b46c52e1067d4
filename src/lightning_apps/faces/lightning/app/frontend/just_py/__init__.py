"""`lightning.app.frontend.just_py`."""

from lightning_apps.frontends import JustPyFrontend

__all__ = ["JustPyFrontend"]
