"""`lightning.app.utilities.state`."""

from lightning_apps.client.plugins import AppStatePlugin, BaseStatePlugin, headers_for
from lightning_apps.client.state import AppState, AppStateType

_STATE = None
_LAST_STATE = None

__all__ = ["AppState", "AppStatePlugin", "AppStateType", "BaseStatePlugin", "headers_for"]
