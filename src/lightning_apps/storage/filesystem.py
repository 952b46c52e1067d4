"""`FileSystem`: the folder that all works share, by absolute-looking paths.  Knows nothing of works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..base.errors import AlreadyThere, NotFound, OutsideFolder, StorageError
from ..base.registry import registry
from .folders import _shared_storage_path
from .place import FILE, FOLDER, FolderPlace

if TYPE_CHECKING:
    from .place import Place

__all__ = ["FileSystem"]


class FileSystem:
    """Files that all works of an app share; paths begin with "/", which is the shared folder.

    Example:
        FileSystem().put("model.pt", "/models/model.pt")
        FileSystem().get("/models/model.pt", "here.pt")
    """

    def __init__(self) -> None:
        shared = registry.shared
        self._place: Place = FolderPlace(str(_shared_storage_path())) if shared is None else shared.files()

    def _below(self, path: str, word: str = "path") -> str:
        if not path.startswith("/"):
            raise OutsideFolder(f"The provided {word} {path} needs to start with `/`.")
        return os.path.normpath(path.lstrip("/") or ".")

    def put(self, src_path: str, dst_path: str, put_fn: object = None) -> None:
        """Copy a local file or folder; "/" keeps its name.

        Raises:
            AlreadyThere: (FileExistsError) there is no such local file (as the older framework named it).
            OutsideFolder: (ValueError) a destination that does not begin with "/", or leads out of the shared folder.
        """
        target = self._below(dst_path, "destination")
        if not os.path.exists(src_path):
            raise AlreadyThere(f"The provided path {src_path} doesn't exist")
        if dst_path == "/":
            target = os.path.basename(os.path.normpath(src_path))
        self._place.put(src_path, target)

    def get(self, src_path: str, dst_path: str, overwrite: bool = True, get_fn: object = None) -> None:
        """Copy a file or folder to a local path.

        Raises:
            AlreadyThere: (FileExistsError) a folder is there, and it is not to be replaced.
            NotFound: (FileNotFoundError) there is no such path.
        """
        source = self._below(src_path, "source")
        if not self._place.kind(source):
            raise NotFound(f"The provided path {src_path} doesn't exist.")
        if os.path.exists(dst_path) and not overwrite:
            raise AlreadyThere(f"The file {dst_path} was found. Add get(..., overwrite=True) to replace it.")
        self._place.get(source, os.fspath(dst_path))

    def listdir(self, path: str) -> list[str]:
        """The names in a folder.

        Raises:
            StorageError: (RuntimeError) there is no such folder.
        """
        return self._place.list(self._there(path))

    def walk(self, path: str) -> list[str]:
        """The paths of all files below a folder, from there.

        Raises:
            StorageError: (RuntimeError) there is no such folder.
        """
        return self._place.walk(self._there(path))

    def _there(self, path: str) -> str:
        where = self._below(path)
        if not self._place.kind(where):
            raise StorageError(f"The provided path {path} doesn't exist.")
        return where

    def rm(self, path: str) -> None:
        """Remove a file or folder.

        Raises:
            NotFound: (FileNotFoundError) there is none.
        """
        where = self._below(path)
        if where == "." or not self._place.kind(where):
            raise NotFound(f"The file path {path} doesn't exist.")
        self._place.remove(where)

    def isfile(self, path: str) -> bool:
        """Whether there is a file."""
        return self._place.kind(self._below(path)) == FILE

    def isdir(self, path: str) -> bool:
        """Whether there is a folder."""
        return self._place.kind(self._below(path)) == FOLDER
