"""`lightning.app.utilities.component`."""

from lightning_apps.model.legacy import _set_context

__all__ = ["_set_context"]
