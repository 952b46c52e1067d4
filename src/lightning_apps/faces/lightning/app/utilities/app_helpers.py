"""`lightning.app.utilities.app_helpers`."""

from lightning_apps.client.plugins import AppStatePlugin, BaseStatePlugin, StreamLitStatePlugin
from lightning_apps.components.children import collect_child_process_pids as _collect_child_process_pids
from lightning_apps.model.legacy import Logger, _LightningAppRef, is_overridden, pretty_state

__all__ = [
    "AppStatePlugin",
    "BaseStatePlugin",
    "Logger",
    "StreamLitStatePlugin",
    "_LightningAppRef",
    "_collect_child_process_pids",
    "is_overridden",
    "pretty_state",
]
