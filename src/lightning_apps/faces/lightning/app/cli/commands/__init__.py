"""`lightning.app.cli.commands`: what tests call of it."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules

if TYPE_CHECKING:
    from . import connection as connection
    from . import logs as logs
else:
    __getattr__ = submodules(__name__)
