"""`lightning.app.api`: routes of an app."""

from typing import TYPE_CHECKING

from lightning_apps.faces.lazy import submodules
from lightning_apps.model.api import Delete, Get, Post, Put

if TYPE_CHECKING:
    from . import http_methods as http_methods
else:
    __getattr__ = submodules(__name__)

__all__ = ["Delete", "Get", "Post", "Put"]
