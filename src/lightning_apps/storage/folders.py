"""Where files lie that works share: the storage root of `lit://` paths, and the shared folder of drives.  Knows nothing of works."""

from __future__ import annotations

import os
import pathlib

from ..base import settings

ARTIFACTS = "artifacts"


def _storage_root_dir() -> pathlib.Path:
    """The folder that `lit://` paths lead to: STORAGE_ROOT_DIR, else `.storage` here; made if it is not there."""
    path = pathlib.Path(settings.storage_root()).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def _shared_local_mount_path() -> pathlib.Path:
    """The folder that all works of an app share: SHARED_MOUNT_DIRECTORY, else `.shared` here; made if it is not there."""
    path = pathlib.Path(settings.shared_folder()).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def _shared_storage_path() -> pathlib.Path:
    """The same; kept for older code."""
    return _shared_local_mount_path()


def drives_in(shared: str | os.PathLike[str]) -> pathlib.Path:
    """Where the `lit://` drives lie in a shared folder, each under its name."""
    return pathlib.Path(shared) / ARTIFACTS / "drive"


def _is_lit_path(path: str | os.PathLike[str]) -> bool:
    """Whether a path leads below the storage root."""
    text = os.fspath(path)
    root = _storage_root_dir()
    return text.startswith("lit://") or pathlib.Path(text) == root or root in pathlib.Path(text).parents


def _artifacts_path(work: object) -> pathlib.Path:
    """The folder of one work's own below the shared one; kept for older code."""
    return _shared_storage_path() / ARTIFACTS / str(getattr(work, "name", work))
