"""`FileSystem`: the folder that all works share, by absolute-looking paths.  Knows nothing of works."""

from __future__ import annotations

import os
import shutil

from ..base.errors import AlreadyThere, NotFound, OutsideFolder, StorageError
from . import local
from .folders import _shared_storage_path

__all__ = ["FileSystem"]

HIDDEN = "info.txt"


class FileSystem:
    """Files that all works of an app share; paths begin with "/", which is the shared folder.

    Example:
        FileSystem().put("model.pt", "/models/model.pt")
        FileSystem().get("/models/model.pt", "here.pt")
    """

    def __init__(self) -> None:
        self._root = str(_shared_storage_path())

    def _at(self, path: str, word: str = "path") -> str:
        if not path.startswith("/"):
            raise OutsideFolder(f"The provided {word} {path} needs to start with `/`.")
        return local.inside(self._root, path.lstrip("/") or ".")

    def put(self, src_path: str, dst_path: str, put_fn: object = None) -> None:
        """Copy a local file or folder; "/" keeps its name.

        Raises:
            AlreadyThere: (FileExistsError) there is no such local file (as the older framework named it).
            OutsideFolder: (ValueError) a destination that does not begin with "/", or leads out of the shared folder.
        """
        target = self._at(dst_path, "destination")
        if not os.path.exists(src_path):
            raise AlreadyThere(f"The provided path {src_path} doesn't exist")
        if dst_path == "/":
            target = os.path.join(target, os.path.basename(os.path.normpath(src_path)))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        local.copy(src_path, target)

    def get(self, src_path: str, dst_path: str, overwrite: bool = True, get_fn: object = None) -> None:
        """Copy a file or folder to a local path.

        Raises:
            AlreadyThere: (FileExistsError) a folder is there, and it is not to be replaced.
            NotFound: (FileNotFoundError) there is no such path.
        """
        source = self._at(src_path, "source")
        if not os.path.exists(source):
            raise NotFound(f"The provided path {src_path} doesn't exist.")
        if os.path.exists(dst_path) and not overwrite:
            raise AlreadyThere(f"The file {dst_path} was found. Add get(..., overwrite=True) to replace it.")
        local.copy(source, os.fspath(dst_path))

    def listdir(self, path: str) -> list[str]:
        """The names in a folder.

        Raises:
            StorageError: (RuntimeError) there is no such folder.
        """
        where = self._at(path)
        if not os.path.exists(where):
            raise StorageError(f"The provided path {path} doesn't exist.")
        if os.path.isfile(where):
            return [os.path.basename(where)]
        return sorted(name for name in os.listdir(where) if _shown(name))

    def walk(self, path: str) -> list[str]:
        """The paths of all files below a folder, from there.

        Raises:
            StorageError: (RuntimeError) there is no such folder.
        """
        where = self._at(path)
        if not os.path.exists(where):
            raise StorageError(f"The provided path {path} doesn't exist.")
        found = []
        for folder, folders, names in os.walk(where):
            folders[:] = [name for name in folders if _shown(name)]
            found += [os.path.relpath(os.path.join(folder, name), where) for name in names if _shown(name)]
        return sorted(found)

    def rm(self, path: str) -> None:
        """Remove a file or folder.

        Raises:
            NotFound: (FileNotFoundError) there is none.
        """
        where = self._at(path)
        if where == os.path.normpath(self._root) or not os.path.lexists(where):
            raise NotFound(f"The file path {path} doesn't exist.")
        if os.path.isdir(where) and not os.path.islink(where):
            shutil.rmtree(where)
        else:
            os.unlink(where)

    def isfile(self, path: str) -> bool:
        """Whether there is a file."""
        return os.path.isfile(self._at(path))

    def isdir(self, path: str) -> bool:
        """Whether there is a folder."""
        return os.path.isdir(self._at(path))


def _shown(name: str) -> bool:
    return name != HIDDEN and not local.is_part(name)
