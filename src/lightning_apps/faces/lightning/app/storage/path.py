"""`lightning.app.storage.path`."""

from lightning_apps.storage.folders import (
    _artifacts_path,
    _is_lit_path,
    _shared_local_mount_path,
    _shared_storage_path,
    _storage_root_dir,
)
from lightning_apps.storage.local import _filesystem
from lightning_apps.storage.path import Path

__all__ = [
    "Path",
    "_artifacts_path",
    "_filesystem",
    "_is_lit_path",
    "_shared_local_mount_path",
    "_shared_storage_path",
    "_storage_root_dir",
]
