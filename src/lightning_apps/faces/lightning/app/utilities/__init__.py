"""`lightning.app.utilities`."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules

if TYPE_CHECKING:
    from . import app_commands as app_commands
    from . import app_helpers as app_helpers
    from . import app_status as app_status
    from . import cloud as cloud
    from . import commands as commands
    from . import component as component
    from . import enum as enum
    from . import exceptions as exceptions
    from . import frontend as frontend
    from . import imports as imports
    from . import load_app as load_app
    from . import network as network
    from . import packaging as packaging
    from . import state as state
    from . import tracer as tracer
else:
    __getattr__ = submodules(__name__)
