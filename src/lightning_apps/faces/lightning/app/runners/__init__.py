"""`lightning.app.runners`: running an app from Python."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.host.runtimes import MultiProcessRuntime, Runtime, dispatch, load_app_from_file, run_app_commands
from lightning_apps.model.legacy import CloudRuntime

if TYPE_CHECKING:
    from . import multiprocess as multiprocess
    from . import runtime as runtime
    from . import runtime_type as runtime_type
else:
    __getattr__ = submodules(__name__)

__all__ = ["CloudRuntime", "MultiProcessRuntime", "Runtime", "dispatch", "load_app_from_file", "run_app_commands"]
