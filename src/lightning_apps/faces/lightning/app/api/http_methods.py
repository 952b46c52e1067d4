"""`lightning.app.api.http_methods`."""

from lightning_apps.model.api import Delete, Get, HttpMethod, Post, Put

_HttpMethod = HttpMethod

__all__ = ["Delete", "Get", "HttpMethod", "Post", "Put", "_HttpMethod"]
