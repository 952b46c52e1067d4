"""`Path`: a pathlib path that remembers which work made the file, so that another work gets it wherever it runs.

Knows nothing of how files travel: whoever runs a work gives its binding `files`, which does.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from ..base.encoding import register
from ..base.errors import AlreadyThere, StorageError, WrongPlace
from ..model.component import Component
from ..model.work import LightningWork
from .folders import _storage_root_dir

__all__ = ["DifferentOrigins", "Path"]


LIT = "lit://"
NEW = sys.version_info >= (3, 12)


class DifferentOrigins(StorageError, TypeError):
    """One path cannot be put together from paths of several works."""


class Path(pathlib.PosixPath):
    """A path that can be handed from work to work.

    It is used like `pathlib.Path`.  The first work that has it as an attribute is its origin; when a run of the origin has
    succeeded, what is at the path is kept as it is then.  Another work that has it as an attribute or gets it as an argument
    of `run` finds the file there before its `run` begins.

    Args:
        parts: as of `pathlib.Path`; `lit://a/b` leads below the storage root (`.storage`, or STORAGE_ROOT_DIR).

    Raises:
        DifferentOrigins: (TypeError) parts that come from different works.
    """

    _origin: Any = None  # a component, or the name of one
    _consumer: Any = None
    _source: str = ""  # the path as its origin knows it, where it lies elsewhere here
    _metadata: dict[str, Any] = {}

    def __new__(cls, *parts: Any, **options: Any) -> Path:
        self: Path = super().__new__(cls, *_led_by_root(parts), **options)
        if not NEW:
            self._belong(parts)
        return self

    def _belong(self, parts: tuple[Any, ...]) -> None:
        """Be of the works that the parts are of; only when it knows where it leads."""
        given = [part for part in parts if isinstance(part, Path)]
        if given:
            top = given[0]
            if any(part._origin is not None and part._origin != top._origin for part in given):
                raise DifferentOrigins(
                    "Tried to instantiate a Lightning Path from multiple other Paths that originate from different LightningWork: "
                    f"{', '.join(sorted({str(part.origin_name) for part in given}))}."
                )
            self._take_after(top)

    if NEW:

        def __init__(self, *parts: Any) -> None:
            super().__init__(*_led_by_root(parts))  # type: ignore[call-arg,unused-ignore]
            self._belong(parts)

        def with_segments(self, *parts: Any) -> Path:
            """What `parent`, `/` and the like return: of the works that this is of, whatever is put behind it."""
            made = type(self)(*(pathlib.PosixPath(part) if isinstance(part, Path) else part for part in parts))
            made._take_after(self)
            return made

        def __rtruediv__(
            self, other: Any
        ) -> Path:  # one of its own, or a plain path on the left would make a plain one
            made: Path = super().__rtruediv__(other)
            return made

    def _take_after(self, other: Path) -> None:
        """Be of the same works as the path this was made from."""
        self._origin, self._consumer, self._metadata = other._origin, other._consumer, other._metadata
        if other._source:
            below = os.path.relpath(str(self), str(other))
            self._source = "" if below.startswith("..") else os.path.normpath(os.path.join(other._source, below))

    def _made(self, plain: Any) -> Path:
        """A path that was derived from this one."""
        made: Path = plain if type(plain) is type(self) else type(self)(plain)
        if made._origin is None:
            made._take_after(self)
        return made

    # -- whose it is ---------------------------------------------------------------------------------------

    @property
    def origin_name(self) -> str | None:
        """The name of the work that makes the file; None if it was given to no work yet."""
        return self._origin.name if isinstance(self._origin, Component) else self._origin

    @property
    def consumer_name(self) -> str | None:
        """The name of the work that uses it here."""
        return self._consumer.name if isinstance(self._consumer, Component) else self._consumer

    @property
    def source(self) -> str:
        """The path as its origin spells it."""
        return self._source or str(self)

    @property
    def hash(self) -> str | None:
        """Tells the paths of all works apart (SHA-1 of origin and path); None without an origin."""
        if self._origin is None:
            return None
        return hashlib.sha1(f"{self.origin_name}/{self.source}".encode(errors="surrogateescape")).hexdigest()

    def lying_at(self, place: str) -> Path:
        """This path where its file lies elsewhere on this machine; everybody else knows it by `source`."""
        moved = type(self)(place)
        moved._take_after(self)
        moved._source = self.source
        return moved

    def _attach_work(self, work: Any) -> None:
        """This work uses it; the first one is its origin."""
        if self._origin is None:
            self._origin = work
        self._consumer = work

    def _files(self) -> Any:
        """What fetches for the work that uses this, or None."""
        return getattr(getattr(self._consumer, "_lit_binding", None), "files", None)

    # -- what is there -------------------------------------------------------------------------------------

    def exists(self, **options: Any) -> bool:
        """Whether it exists here, or its origin has handed it over."""
        return self.exists_local(**options) or bool(self._origin and self._files() is not None and self.exists_remote())

    def exists_local(self, **options: Any) -> bool:
        """Whether it exists here."""
        return super().exists(**options)

    def exists_remote(self) -> bool:
        """Whether its origin has handed it over, or has it on this machine.

        Raises:
            WrongPlace: (RuntimeError) no work has it as an attribute or argument.
        """
        files = self._files()
        if not self._origin or files is None:
            raise WrongPlace(
                f"Trying to check if the file {self} exists, but the path is not attached to a LightningWork. "
                "Set it as an attribute to a LightningWork or pass it to the `run()` method."
            )
        return bool(files.has(self))

    def get(self, overwrite: bool = False) -> None:
        """Have the file or folder here as its origin handed it over last.

        Args:
            overwrite: whether to replace what is here.

        Raises:
            WrongPlace: (RuntimeError) called in a flow, or on a path that no work has as an attribute or argument.
            AlreadyThere: (FileExistsError) something is here.
            StorageError: (RuntimeError) its origin has not handed it over, or it cannot be brought here.
        """
        files = self._files()
        if getattr(getattr(self._consumer, "_lit_binding", None), "context", "") == "flow":
            raise WrongPlace("`Path.get()` can only be called from within the `run()` method of LightningWork.")
        if files is None and self._origin is not None:
            raise WrongPlace(
                f"Trying to get the file {self}, but the path is not attached to a LightningApp. "
                "Are you trying to get the file from within `__init__`?"
            )
        if files is None or self._origin is None:
            raise WrongPlace(
                f"Trying to get the file {self}, but the path is not attached to a LightningWork. "
                "Set it as an attribute to a LightningWork or pass it to the `run()` method."
            )
        if self.exists_local() and not overwrite:
            raise AlreadyThere(
                f"The file or folder {self} exists locally. Pass `overwrite=True` if you wish to replace it with the new contents."
            )
        files.get(self)

    # -- copies --------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """This path as JSON."""
        return {
            "path": self.source,
            "origin_name": self.origin_name,
            "consumer_name": self.consumer_name,
            "metadata": self._metadata,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Path:
        """What `to_dict` returned."""
        path = cls(content["path"])
        path._origin, path._consumer = content["origin_name"], content["consumer_name"]
        path._metadata = content["metadata"]
        return path

    def __reduce__(self) -> Any:
        return type(self).from_dict, (self.to_dict(),)

    def __json__(self) -> dict[str, Any]:
        return self.to_dict()

    @property
    def parents(self) -> Any:
        """The folders above, the nearest first."""
        return [self._made(each) for each in super().parents]


def _led_by_root(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    if parts and isinstance(parts[0], str) and parts[0].startswith(LIT):
        return (str(_storage_root_dir()), parts[0][len(LIT) :].lstrip("/"), *parts[1:])
    return parts


def _keep_works() -> None:
    """Before Python 3.12, pathlib does not ask the path it derives another from."""
    for name in ("joinpath", "with_name", "with_stem", "with_suffix", "relative_to", "absolute", "resolve", "expanduser",
                 "readlink", "rename", "replace", "__truediv__", "__rtruediv__"):  # fmt: skip
        setattr(Path, name, _deriving(name))
    for name in ("iterdir", "glob", "rglob"):
        setattr(Path, name, _deriving_many(name))
    Path.parent = property(lambda self: self._made(pathlib.PosixPath.parent.fget(self)))  # type: ignore[attr-defined,assignment]


def _deriving(name: str) -> Any:
    plain = getattr(pathlib.PosixPath, name)

    def method(self: Path, *args: Any, **options: Any) -> Any:
        made = plain(self, *args, **options)
        return made if made is NotImplemented else self._made(made)

    method.__name__, method.__doc__ = name, plain.__doc__
    return method


def _deriving_many(name: str) -> Any:
    plain = getattr(pathlib.PosixPath, name)

    def method(self: Path, *args: Any, **options: Any) -> Iterator[Path]:
        return (self._made(each) for each in plain(self, *args, **options))

    method.__name__, method.__doc__ = name, plain.__doc__
    return method


if not NEW:
    _keep_works()


def _pack(path: Path) -> list[Any]:
    """Without its consumer, which is whoever has it."""
    return [path.source, path.origin_name, json.dumps(path._metadata) if path._metadata else ""]


def _unpack(packed: Any) -> Path:
    source, origin, metadata = packed
    found = {"path": source, "origin_name": origin, "consumer_name": origin}
    return Path.from_dict({**found, "metadata": json.loads(metadata) if metadata else {}})


def _adopt(path: Path, owner: Any, name: str) -> Path:
    """It is an attribute of this component now; a flow only passes it on."""
    if not isinstance(owner, LightningWork) or path._consumer is owner:
        return path
    if path._origin is not None and isinstance(path._consumer, Component):
        path = path._made(pathlib.PosixPath(path))  # another component has this object
    if path.origin_name == owner.name != "":
        path._origin = owner
    path._attach_work(owner)
    return path


register("path", Path, _pack, _unpack, adopt=_adopt, key=lambda path: [path.source, path.origin_name])
