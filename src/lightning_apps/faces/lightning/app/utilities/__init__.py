"""`lightning.app.utilities`."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules

if TYPE_CHECKING:
    from . import app_status as app_status
    from . import enum as enum
    from . import exceptions as exceptions
    from . import packaging as packaging
else:
    __getattr__ = submodules(__name__)
