"""`lightning.app.utilities.tracer`."""

from lightning_apps.components.tracer import Tracer

__all__ = ["Tracer"]
