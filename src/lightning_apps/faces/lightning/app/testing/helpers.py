"""`lightning.app.testing.helpers`."""

from lightning_apps.testing.empty import EmptyFlow, EmptyWork
from lightning_apps.testing.older_helpers import _call_script, _MockQueue, _run_script, _RunIf

__all__ = ["EmptyFlow", "EmptyWork", "_MockQueue", "_RunIf", "_call_script", "_run_script"]
