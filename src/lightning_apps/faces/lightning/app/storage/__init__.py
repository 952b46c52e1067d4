"""`lightning.app.storage`."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.model.mount import Mount
from lightning_apps.storage.drive import Drive
from lightning_apps.storage.filesystem import FileSystem
from lightning_apps.storage.path import Path
from lightning_apps.storage.payload import Payload

if TYPE_CHECKING:
    from . import drive as drive
    from . import filesystem as filesystem
    from . import mount as mount
    from . import path as path
    from . import payload as payload
else:
    __getattr__ = submodules(__name__)

__all__ = ["Drive", "FileSystem", "Mount", "Path", "Payload"]
