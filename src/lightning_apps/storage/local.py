"""Files of this machine in the manner of fsspec, and what copies them whole: folders too, at once.  Knows nothing of works."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..base.errors import AlreadyThere, NotFound, OutsideFolder, StorageError
from .copying import cannot_write, copy_plain, fresh, write_all

__all__ = [
    "LocalFiles",
    "_filesystem",
    "copy",
    "copy_file",
    "exchange",
    "fresh",
    "inside",
    "is_part",
    "made",
    "prepared",
    "remove",
    "tidy",
    "write_all",
]

EXCHANGE = 2  # RENAME_EXCHANGE, renameat2(2)
HERE = -100  # AT_FDCWD
PART = ".part-"  # how names begin of what is not whole
MOMENT = 60.0  # seconds


def copy(source: str, target: str) -> None:
    """Copy a file or folder; a reader of `target` sees what was there before, or all that is there then.

    What a folder had that the new one has not stays, as it did in the older framework.

    Raises:
        NotFound: there is nothing to copy.
        StorageError: the disk is full, or does not take it.
    """
    with prepared(source, target) as place:
        place()


@contextlib.contextmanager
def prepared(source: str, target: str) -> Iterator[Callable[[], None]]:
    """A copy that lies beside `target` already, and what puts it in its place."""

    def write(beside: str) -> None:
        if os.path.isdir(source):
            shutil.copytree(source, beside, copy_function=_copy_new(source, target), ignore=_parts)
        else:
            copy_file(source, beside)

    with made(write, target, source) as place:
        yield place


@contextlib.contextmanager
def made(write: Callable[[str], None], target: str, what: str = "") -> Iterator[Callable[[], None]]:
    """A file or folder that `write` has made beside `target`, and what puts it in its place.

    Args:
        write: gets the path to make it at.
        what: it is made of, for messages.
    """
    what = what or "What is to be copied"
    aside = os.path.join(os.path.dirname(target) or ".", f"{PART}{os.urandom(8).hex()}")
    beside = os.path.join(aside, "it")
    try:
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        with _being_written(aside):
            write(beside)
            yield lambda: _replace_folder(beside, target) if os.path.isdir(beside) else _replace_file(beside, target)
    except shutil.Error as error:
        raise StorageError(f"{what} cannot be copied to {target}: {error}.") from None
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        if isinstance(error, FileNotFoundError):
            raise NotFound(f"{what} does not exist, or went while it was copied.") from None
        raise cannot_write(target, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _being_written(folder: str) -> Iterator[None]:
    """A new folder whose writer is seen to live by its lock."""
    os.mkdir(folder, 0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove(path: str) -> None:
    """Remove a file or folder at once, as far as a reader can tell.

    Raises:
        FileNotFoundError: there is none.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        aside = os.path.join(os.path.dirname(path), f"{PART}{os.urandom(8).hex()}")
        os.rename(path, aside)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.unlink(path)


def tidy(root: str) -> None:
    """Remove what those who died while they wrote or removed something below a folder have left."""
    for folder, folders, names in os.walk(root):
        left = [os.path.join(folder, name) for name in (*folders, *names) if is_part(name)]
        folders[:] = [name for name in folders if not is_part(name)]
        for path in left:
            with contextlib.suppress(OSError):
                _remove_left(path)


def _remove_left(path: str) -> None:
    if time.time() - os.lstat(path).st_mtime < MOMENT:
        return  # whoever made it may not have come to lock it
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)
    finally:
        os.close(descriptor)


def _replace_file(beside: str, target: str) -> None:
    if os.path.isdir(target):
        raise AlreadyThere(f"{target} is a folder, so no file takes its place.")
    os.rename(beside, target)


def _replace_folder(beside: str, target: str) -> None:
    if os.path.lexists(target) and not os.path.isdir(target):
        raise AlreadyThere(f"{target} is a file, so no folder takes its place.")
    if os.path.isdir(target):
        _keep_others(target, beside)
    exchange(beside, target)


def copy_file(source: str, target: str) -> None:
    """One file, with its times and permissions."""
    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        stat = os.fstat(descriptor)
        with fresh(target) as new:
            copy_plain(descriptor, new.descriptor)
            os.fchmod(new.descriptor, stat.st_mode & 0o777 | 0o600)
            os.utime(new.descriptor, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    finally:
        os.close(descriptor)


def _copy_new(source: str, target: str) -> Any:
    """Copies one file of a folder; one that has not changed since it was copied last is linked to that copy."""

    def one(path: str, fresh_path: str) -> None:
        before = os.path.join(target, os.path.relpath(path, source))
        stat = os.stat(path)
        with contextlib.suppress(OSError):
            old = os.stat(before)
            if (old.st_size, old.st_mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                os.link(before, fresh_path)
                return
        copy_file(path, fresh_path)

    return one


def _keep_others(old: str, new: str) -> None:
    """What the old folder has and the new one has not is in the new one as well."""
    for folder, folders, names in os.walk(old):
        folders[:] = [name for name in folders if not is_part(name)]
        there = os.path.join(new, os.path.relpath(folder, old))
        os.makedirs(there, exist_ok=True)
        for name in filter(lambda name: not is_part(name), names):
            with contextlib.suppress(FileExistsError):
                os.link(os.path.join(folder, name), os.path.join(there, name))


def exchange(new: str, old: str) -> None:
    """Put `new` in the place of `old`, which then lies where `new` was; at once, where the system can."""
    if not os.path.lexists(old):
        os.rename(new, old)
        return
    library: Any = ctypes.CDLL(None, use_errno=True)
    rename = getattr(library, "renameat2", None)
    if rename is not None and rename(HERE, os.fsencode(new), HERE, os.fsencode(old), EXCHANGE) == 0:
        return
    aside = f"{new}-old"
    os.rename(old, aside)
    os.rename(new, old)
    os.rename(aside, new)


def inside(root: str, path: str) -> str:
    """`path` below `root`, as an absolute path.

    Raises:
        OutsideFolder: it leads out of it, also by a link.
    """
    full = os.path.join(root, path)
    real, base = os.path.realpath(full), os.path.realpath(root)
    if "\0" in path or (real != base and not real.startswith(base.rstrip("/") + "/")):
        raise OutsideFolder(f"The path {path!r} leads out of {root}, where it has to be.")
    return os.path.normpath(full)


def is_part(name: str) -> bool:
    """Whether this is what a writer has not finished."""
    return name.startswith(PART)


def _parts(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if is_part(name)}


class LocalFiles:
    """This machine's files by the methods of fsspec's file systems that apps use; every write is all or nothing."""

    protocol = ("file", "local")

    def exists(self, path: Any) -> bool:
        return os.path.exists(path)

    def isfile(self, path: Any) -> bool:
        return os.path.isfile(path)

    def isdir(self, path: Any) -> bool:
        return os.path.isdir(path)

    def info(self, path: Any) -> dict[str, Any]:
        stat = os.stat(path)
        kind = "directory" if os.path.isdir(path) else "file"
        return {"name": os.path.abspath(path), "size": stat.st_size, "type": kind, "mtime": stat.st_mtime}

    def ls(self, path: Any, detail: bool = False) -> list[Any]:
        """The paths in a folder."""
        names = sorted(name for name in os.listdir(path) if not is_part(name))
        found = [os.path.join(os.path.abspath(path), name) for name in names]
        return [self.info(each) for each in found] if detail else found

    listdir = ls

    def walk(self, path: Any) -> Iterator[tuple[str, list[str], list[str]]]:
        """As `os.walk`."""
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not is_part(name)]
            yield folder, folders, [name for name in names if not is_part(name)]

    def open(self, path: Any, mode: str = "rb", **options: Any) -> Any:
        return open(path, mode, **options)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        os.makedirs(path, exist_ok=exist_ok)

    def mkdir(self, path: Any, create_parents: bool = True) -> None:
        os.makedirs(path) if create_parents else os.mkdir(path)

    mkdirs = makedirs

    def put(self, lpath: Any, rpath: Any, recursive: bool = False, **options: Any) -> None:
        """Copy a file, or a folder where `recursive`."""
        if os.path.isdir(lpath) and not recursive:
            return
        copy(os.fspath(lpath), os.fspath(rpath))

    get = copy = cp = put
    put_file = get_file = cp_file = put

    def rm(self, path: Any, recursive: bool = False) -> None:
        """Remove a file, or a folder where `recursive`."""
        if os.path.isdir(path) and not os.path.islink(path) and not recursive:
            os.rmdir(path)
        else:
            remove(os.fspath(path))

    delete = rm
    rm_file = rm

    def mv(self, path1: Any, path2: Any, **options: Any) -> None:
        shutil.move(path1, path2)

    move = mv


def _filesystem() -> LocalFiles:
    """The files that works share, as an object with fsspec's methods."""
    return LocalFiles()
