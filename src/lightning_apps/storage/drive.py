"""`Drive`: a named folder that many works put files into and take files from, each under its own name.

Knows two kinds of place for it: the folder that the works of an app share (`lit://`), and whatever fsspec reaches (`s3://…`).
"""

from __future__ import annotations

import os
import pathlib
import re
import time
from importlib import import_module
from typing import Any

from ..base.encoding import register
from ..base.errors import AlreadyThere, NotFound, StorageError, WrongPlace
from ..base.registry import register_shown, registry
from ..model.component import Component
from .folders import _shared_storage_path, drives_in
from .shelf import FolderShelf, Shelf

__all__ = ["Drive", "DriveError"]

LIT = "lit://"
Paths = list[str]  # `list` is a method below
PAUSE = 0.02, 1.0  # seconds between looks for what somebody is to put
PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]*://")


class DriveError(StorageError, ValueError):
    """A drive that cannot be, or is used in a way that cannot work."""


class Drive:
    """Files that works share, by name of the drive and of the work that put them.

    Args:
        id: "lit://name", or any URL that fsspec knows, as "s3://bucket/folder" (with the credentials of the environment).
        allow_duplicates: whether several works may put a file of the same name.
        component_name: who puts; filled in when the drive becomes an attribute of a component or an argument of `run`.
        root_folder: local folder that relative paths of `put` and `get` start from; the current one if left out.

    Raises:
        DriveError: (ValueError) an id or folder that cannot be used.

    Example:
        drive = Drive("lit://models")       # an attribute of two works
        drive.put("checkpoint.pt")          # in the first
        drive.get("checkpoint.pt", timeout=60)  # in the second
    """

    def __init__(
        self,
        id: str,
        allow_duplicates: bool = False,
        component_name: str | None = None,
        root_folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self.id = _checked(id)
        self.protocol = (PROTOCOL.match(id) or [LIT])[0]
        self.allow_duplicates = allow_duplicates
        self._component_name = component_name
        self._component: Component | None = None
        self._given_root = root_folder
        self.root_folder = pathlib.Path(root_folder or os.getcwd()).absolute()
        if self.root_folder.exists() and not self.root_folder.is_dir():
            raise DriveError(f"The provided root_folder isn't a directory: {root_folder}.")

    # -- where ---------------------------------------------------------------------------------------------

    @property
    def component_name(self) -> str | None:
        """The component that puts and deletes."""
        return self._component.name if self._component is not None else self._component_name

    @component_name.setter
    def component_name(self, name: str | None) -> None:
        self._component, self._component_name = None, name

    @property
    def drive_root(self) -> pathlib.Path:
        """The folder of all components' files, on the machine of the app's host (of a `lit://` drive; of another its address as a path)."""
        if self.protocol != LIT:
            return pathlib.Path(self.id)
        return drives_in(_shared_storage_path()) / self.id[len(LIT) :]

    @property
    def root(self) -> pathlib.Path:
        """The folder of this component's files."""
        return self.drive_root / self._me("find the root of") if self.component_name else self.drive_root

    def _shelf(self) -> Shelf:
        if self.protocol == LIT:
            return shelf_of(self.id[len(LIT) :])
        shelf: Shelf = import_module(".remote", __package__).RemoteShelf(self.id)  # fsspec is loaded where it is used
        return shelf

    def _me(self, what: str) -> str:
        name = self.component_name
        if not name:
            raise DriveError(f"The component name needs to be known to {what} the Drive.")
        return name

    def _not_in_flows(self, what: str) -> None:
        if getattr(getattr(self._component, "_lit_binding", None), "context", "") == "flow":
            raise WrongPlace(f"The flow isn't allowed to {what} a Drive.")

    def _here(self, path: str | os.PathLike[str]) -> tuple[str, str]:
        """A path as given: (below the drive, on this machine)."""
        text = os.fspath(path)
        here = os.path.normpath(os.path.join(self.root_folder, text))
        below = os.path.relpath(here, self.root_folder)
        if below == ".." or below.startswith("../") or "\0" in text:
            raise DriveError(
                f"The path {text!r} leads out of {self.root_folder}: a Drive takes paths below its root_folder."
            )
        return below, here

    # -- files ---------------------------------------------------------------------------------------------

    def put(self, path: str | os.PathLike[str]) -> None:
        """Put a file or folder under this component's name.  Others see all of it, or nothing of it.

        Raises:
            WrongPlace: (RuntimeError) called in a flow.
            AlreadyThere: (FileExistsError) there is no such file here (as the older framework named it), or another
                component has put it and duplicates are not allowed.
            DriveError: no component is known, or the path leads elsewhere.
        """
        me = self._me("put a path to")
        self._not_in_flows("put files into")
        below, here = self._here(path)
        if not os.path.lexists(here):
            raise AlreadyThere(f"The provided path {path} doesn't exists: there is no {here}.")
        other = self._shelf().put(here, me, below, not self.allow_duplicates)
        if other:
            raise AlreadyThere(
                f"The file {path} can't be added as already found in the Drive {self.id}, where {other} has put it. "
                "Use another name, or Drive(..., allow_duplicates=True)."
            )

    def list(self, path: str | os.PathLike[str] = ".", component_name: str | None = None) -> Paths:
        """The paths directly below one, of all components or of one.

        Raises:
            WrongPlace: (RuntimeError) called in a flow.
        """
        self._not_in_flows("list files from")
        below, _ = self._here(path)
        shelf = self._shelf()
        names = [component_name] if component_name else shelf.components()
        found = [each for name in names for each in shelf.list(name, below)]
        return found if below == "." else [os.path.join(below, each) for each in found]

    def get(
        self,
        path: str | os.PathLike[str],
        component_name: str | None = None,
        timeout: float | None = None,
        overwrite: bool = False,
    ) -> None:
        """Copy a file or folder into `root_folder`.

        Args:
            path: as it was put.
            component_name: whose; needed only where several have put one of this name.
            timeout: seconds to wait for it to be put.
            overwrite: whether a folder that is here is replaced; a file is in any case.

        Raises:
            WrongPlace: (RuntimeError) called in a flow.
            NotFound: (FileNotFoundError) nobody has put it, or not in time.
            DriveError: several have.
            AlreadyThere: (FileExistsError) a folder of this name is here.
        """
        self._not_in_flows("get files from")
        below, here = self._here(path)
        shelf, until = self._shelf(), time.monotonic() + (timeout or 0.0)
        pause = PAUSE[0]
        while not (found := self._candidates(shelf, below, component_name)):
            left = until - time.monotonic()
            if left <= 0:
                raise NotFound(self._nobody(path, component_name, timeout))
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, PAUSE[1])
        if len(found) > 1:
            raise DriveError(
                f"We found several matching files created by multiples components: {', '.join(found)} have put {path}. "
                "Say whose with component_name=."
            )
        if os.path.isdir(here) and not overwrite:
            raise AlreadyThere(f"The file {here} was found. Add get(..., overwrite=True) to replace it.")
        shelf.get(found[0], below, here)

    def _nobody(self, path: object, component_name: str | None, timeout: float | None) -> str:
        if timeout is not None:
            return f"The following {path} wasn't found in {timeout:g} seconds in the Drive {self.id}."
        whose = f" of {component_name}" if component_name else ""
        return f"We didn't find any match for the associated {path}{whose} in the Drive {self.id}."

    def _candidates(self, shelf: Shelf, below: str, component_name: str | None) -> Paths:
        if component_name is not None:
            return [component_name] if shelf.has(component_name, below) else []
        return shelf.holders(below)

    def delete(self, path: str | os.PathLike[str]) -> None:
        """Remove a file or folder that this component has put; flows may do it as well.

        Raises:
            NotFound: (FileNotFoundError) this component has put none of this name.
            DriveError: no component is known, or the path leads elsewhere.
        """
        me = self._me("delete a path to")
        below, _ = self._here(path)
        shelf = self._shelf()
        if not shelf.has(me, below):
            raise NotFound(f"The file {path} doesn't exists in the component_name space {me} of the Drive {self.id}.")
        shelf.delete(me, below)

    # -- copies --------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """This drive as JSON."""
        return {
            "type": "__drive__",
            "id": self.id,
            "allow_duplicates": self.allow_duplicates,
            "component_name": self.component_name,
            "root_folder": str(self.root_folder),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Drive:
        """What `to_dict` returned."""
        names = ("allow_duplicates", "component_name", "root_folder")
        return cls(content["id"], **{name: content[name] for name in names})

    def _for(self, owner: Any) -> Drive:
        """The same drive as an attribute of a component."""
        if self._component is owner:
            return self
        made = Drive(self.id, self.allow_duplicates, None, self._given_root)
        made._component = owner
        return made

    def __reduce__(self) -> Any:
        return _unpack, (_pack(self),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Drive) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"Drive({self.id!r}, component_name={self.component_name!r})"


def shelf_of(name: str) -> Shelf:
    """The files of a `lit://` drive: in the folder that works share, or wherever this process has to ask for what is in it."""
    if registry.shared is not None:
        elsewhere: Shelf = registry.shared.drive(name)
        return elsewhere
    return FolderShelf(str(drives_in(_shared_storage_path()) / name))


def _checked(id: str) -> str:
    if not PROTOCOL.match(id):
        raise DriveError(
            f"Unknown protocol for the drive 'id' argument {id!r}: write it as 'lit://name', or as a URL such as 's3://bucket/folder'."
        )
    name = id[len(LIT) :] if id.startswith(LIT) else "url"
    if "/" in name:
        raise DriveError(f"The id should be unique to identify your drive. Found `{id}`: a name without `/`.")
    if name in ("", ".", "..") or "\0" in name:
        raise DriveError(f"The id {id!r} has no name after 'lit://' that a folder could have.")
    return id


def _pack(drive: Drive) -> list[Any]:
    root = drive._given_root
    return [drive.id, drive.allow_duplicates, drive.component_name, None if root is None else os.fspath(root)]


def _unpack(packed: Any) -> Drive:
    return Drive(*packed)


register("drive", Drive, _pack, _unpack, adopt=lambda drive, owner, name: drive._for(owner),
         key=lambda drive: [drive.id, drive.allow_duplicates, _pack(drive)[3]])  # fmt: skip
register_shown("__drive__", Drive, Drive.to_dict, Drive.from_dict)
