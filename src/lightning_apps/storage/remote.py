"""Files and content somewhere that fsspec reaches: a bucket, a server.  Tries again with growing pauses before it gives up.

Loaded only where such an address is used; fsspec, and what it needs for the protocol, are extras.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from ..base.errors import MissingExtra, NotFound, StorageError, Unreachable
from . import local
from .copying import Progress, _silent
from .store import Store

T = TypeVar("T")
Names = list[str]  # `list` is a method below
TRIES = 5
PAUSE = 0.2  # seconds before the second try; doubled each time
CHUNK = 8 << 20
FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, StorageError)


def connect(url: str, **options: Any) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path in it.

    Raises:
        MissingExtra: fsspec, or what it needs for the protocol, is not installed.
        StorageError: no such protocol, or an address it does not understand.
    """
    protocol = url.partition("://")[0]
    try:
        core = import_module("fsspec.core")
        found: tuple[Any, str] = core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        extra = "lightning-apps[s3]" if protocol == "s3" else "fsspec"
        raise MissingExtra(f"{url} needs a package that is not here ({error}): pip install '{extra}'.") from None
    except ValueError as error:
        raise StorageError(f"{url} cannot be used: {error}.") from None
    return found


def patiently(what: str, do: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """The result of `do`, tried again while the other side does not answer.

    Raises:
        Unreachable: it never did; says the last reason.
        FileNotFoundError: it answered that there is no such thing.
    """
    pause = PAUSE
    for left in reversed(range(TRIES)):
        try:
            return do()
        except FINAL:
            raise
        except Exception as error:  # each protocol has errors of its own
            if not left:
                reason = f"{type(error).__name__}: {error}".rstrip(".")
                raise Unreachable(f"{what} failed {TRIES} times, last with {reason}.") from error
        sleep(pause)
        pause *= 2
    raise AssertionError("unreachable")


class RemoteShelf:
    """A drive's files below a URL, as URL/component/path.  A file is there whole or not at all; a folder file by file.

    Args:
        url: of the drive.
        sleep: waits between tries.
    """

    def __init__(self, url: str, sleep: Callable[[float], None] = time.sleep, **options: Any) -> None:
        self._url, self._sleep = url, sleep
        self._files, path = connect(url, **options)
        self._root = path.rstrip("/")

    def _at(self, component: str, path: str) -> str:
        return f"{self._root}/{component}" if path == "." else f"{self._root}/{component}/{path}"

    def _try(self, what: str, do: Callable[[], T]) -> T:
        return patiently(f"{what} {self._url}", do, self._sleep)

    def components(self) -> list[str]:
        return sorted(name for name, kind in self._below(self._root) if kind == "directory")

    def _below(self, where: str) -> list[tuple[str, str]]:
        try:
            found = self._try("Listing", lambda: self._files.ls(where, detail=True, refresh=True))
        except (FileNotFoundError, NotADirectoryError):
            return []
        items = [(item["name"].rstrip("/"), item["type"]) for item in found]
        return [
            (os.path.basename(name), kind)
            for name, kind in items
            if name != where and not local.is_part(os.path.basename(name))
        ]

    def has(self, component: str, path: str) -> bool:
        return bool(self._try("Looking into", lambda: self._files.exists(self._at(component, path))))

    def list(self, component: str, path: str) -> Names:
        return sorted(name for name, _ in self._below(self._at(component, path)))

    def holders(self, path: str) -> Names:
        return [name for name in self.components() if self.has(name, path)]

    def put(self, source: str, component: str, path: str, alone: bool) -> str:
        """Each file is uploaded whole before it has its name.

        Buckets know no locks: two that put the same name at the same moment may both succeed.
        """
        others = [name for name in self.holders(path) if name != component] if alone else []
        if others:
            return others[0]
        where = self._at(component, path)
        if not os.path.isdir(source):
            self._put_file(source, where)
            return ""
        for folder, _, names in os.walk(source):
            below = os.path.relpath(folder, source)
            for name in names:
                target = f"{where}/{name}" if below == "." else f"{where}/{below}/{name}"
                self._put_file(os.path.join(folder, name), target)
        return ""

    def _put_file(self, source: str, target: str) -> None:
        upload(self._files, source, target, lambda do: self._try(f"Writing {target} to", do))

    def get(self, component: str, path: str, target: str) -> None:
        where = self._at(component, path)
        try:
            if not self._try("Looking into", lambda: self._files.isdir(where)):
                self._get_file(where, target)
                return
            for name in self._try("Listing", lambda: self._files.find(where)):
                below = name[len(where) :].lstrip("/")
                self._get_file(name, local.inside(target, below))
        except FileNotFoundError:
            raise NotFound(f"{path} of {component} is not in {self._url}.") from None

    def _get_file(self, where: str, target: str) -> None:
        download(self._files, where, target, lambda do: self._try(f"Reading {where} from", do))

    def delete(self, component: str, path: str) -> None:
        where = self._at(component, path)
        with contextlib.suppress(FileNotFoundError):
            self._try("Removing from", lambda: self._files.rm(where, recursive=True))


class RemoteContent:
    """Content by its hash below a URL, as URL/ab/name; what is there already is not sent again.

    Args:
        url: of the store, as "s3://bucket/folder".
        sleep: waits between tries.
    """

    def __init__(self, url: str, sleep: Callable[[float], None] = time.sleep, **options: Any) -> None:
        self._url, self._sleep = url, sleep
        self._files, path = connect(url, **options)
        self._root = path.rstrip("/")

    def _at(self, name: str) -> str:
        return f"{self._root}/{name[3:5]}/{name}"

    def _try(self, what: str, do: Callable[[], T]) -> T:
        return patiently(f"{what} {self._url}", do, self._sleep)

    def keep(self, store: Store, name: str, progress: Progress = _silent) -> None:
        """Have content of a store there too.

        Raises:
            Unreachable: it does not answer.
        """
        where = self._at(name)
        if not self._try("Looking into", lambda: self._files.exists(where)):
            upload(self._files, store.path(name), where, lambda do: self._try(f"Writing {name} to", do), progress)

    def bring(self, store: Store, name: str, progress: Progress = _silent) -> bool:
        """Have content from there in a store; False if it is not there, or damaged.

        Raises:
            Unreachable: it does not answer.
        """
        scratch = os.path.join(store.folder, f".part-{os.urandom(8).hex()}")
        os.makedirs(store.folder, exist_ok=True)
        try:
            download(self._files, self._at(name), scratch, lambda do: self._try(f"Reading {name} from", do), progress)
            return store.put_file(scratch)[0] == name
        except FileNotFoundError:
            return False
        finally:
            if os.path.exists(scratch):
                os.unlink(scratch)


Tries = Callable[[Callable[[], None]], None]


def upload(files: Any, source: str, target: str, tries: Tries, progress: Progress = _silent) -> None:
    """One local file to a path there, under its name only when it is whole."""
    atomic = not shows_parts(files)
    before = target if atomic else f"{os.path.dirname(target)}/.part-{os.urandom(8).hex()}"

    def once() -> None:
        if not atomic:
            files.makedirs(os.path.dirname(target), exist_ok=True)
        files.put_file(source, before, callback=_watching(progress))
        if not atomic:
            files.mv(before, target)

    tries(once)


def _watching(progress: Progress) -> Any:
    """What fsspec tells how far it is: bytes more, or bytes in all."""

    class Watching(import_module("fsspec.callbacks").Callback):  # type: ignore[misc]
        seen = 0

        def relative_update(self, inc: int = 1) -> None:
            self.seen += inc
            progress(inc)

        def absolute_update(self, value: int) -> None:
            self.relative_update(value - self.seen)

    return Watching()


def shows_parts(files: Any) -> bool:
    """Whether a file there can be seen while it is written: all but object stores."""
    known = {"s3", "s3a", "gs", "gcs", "az", "abfs", "memory"}
    protocols = files.protocol if isinstance(files.protocol, (tuple, list)) else (files.protocol,)
    return not known & set(protocols)


def download(files: Any, source: str, target: str, tries: Tries, progress: Progress = _silent) -> None:
    """One file there to a local path, at once; what broke off is gone on with where it broke off."""

    def whole() -> None:
        with local.fresh(target) as new:
            done = 0

            def more() -> None:
                nonlocal done
                with files.open(source, "rb", block_size=CHUNK, cache_type="readahead") as file:
                    file.seek(done)
                    while data := file.read(CHUNK):
                        local.write_all(new.descriptor, data)
                        done += len(data)
                        progress(len(data))

            tries(more)

    whole()
