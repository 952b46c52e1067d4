"""`lightning.app.api.http_methods`."""

from lightning_apps.model.api import Delete, Get, Post, Put
from lightning_apps.model.api import HttpMethod as _HttpMethod

__all__ = ["Delete", "Get", "Post", "Put", "_HttpMethod"]
