"""`lightning.app.cli`: the command line, for tests that invoke it."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules

if TYPE_CHECKING:
    from . import commands as commands
    from . import lightning_cli as lightning_cli
else:
    __getattr__ = submodules(__name__)
