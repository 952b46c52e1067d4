"""`lightning.app.source_code`: what packed code for a cloud that is gone."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.model.legacy import LocalSourceCodeDir

if TYPE_CHECKING:
    from . import uploader as uploader
else:
    __getattr__ = submodules(__name__)

__all__ = ["LocalSourceCodeDir"]
