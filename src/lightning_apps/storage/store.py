"""Content by its hash, in a folder: written once, whole or not at all, checked when it is read.  Knows nothing of names that people use."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Callable, Iterator
from typing import Any

from ..base.errors import ContentDamaged, NotFound, StorageError
from .copying import Progress, _silent, chunks, copy_hashed, fresh, sweep, sync_folder, write_all
from .hashing import Digest, is_name, name_of

TRIES = 3  # copies of a file that somebody writes to meanwhile
Fetch = Callable[[str], bool]  # bring this content from elsewhere, if it is there


def _nowhere(name: str) -> bool:
    return False


class Store:
    """The objects in one folder, shared by all processes of a run on one machine.

    Args:
        folder: made if it is not there.
        durable: whether what is put survives a power cut once `put` has returned.
        fetch: asked to bring in what is not here.
    """

    def __init__(self, folder: str, *, durable: bool = False, fetch: Fetch = _nowhere) -> None:
        self.folder, self.fetch = folder, fetch
        self._durable = durable
        self._temporary = os.path.join(folder, "incoming")

    def path(self, name: str) -> str:
        """Where content of this name is, or would be.

        Raises:
            NotFound: that is no name of content.
        """
        if not is_name(name):
            raise NotFound(f"{name!r} is not the name of something in a store.")
        return os.path.join(self.folder, name[3:5], name)

    def has(self, name: str) -> bool:
        """Whether it is here."""
        return os.path.exists(self.path(name))

    def touch(self, name: str) -> bool:
        """Whether it is here, and then needed from now on again: what is about to be removed stays."""
        try:
            os.utime(self.path(name))
        except FileNotFoundError:
            return False
        return True

    def remove_unless_touched(self, name: str, before: int) -> int:
        """Remove it, unless it was touched after `before` (nanoseconds since the epoch); the bytes that are free now."""
        path = self.path(name)
        aside = os.path.join(self._temporary, f".part-{os.urandom(8).hex()}")
        os.makedirs(self._temporary, mode=0o700, exist_ok=True)
        try:
            os.rename(path, aside)  # from here on whoever wants it puts it again
            stat = os.stat(aside)
            if stat.st_mtime_ns > before:
                os.rename(aside, path)
                return 0
            os.unlink(aside)
        except FileNotFoundError:
            return 0
        return stat.st_size if stat.st_nlink == 1 else 0

    def names(self) -> Iterator[str]:
        """Everything that is here."""
        for folder in sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else ():
            yield from filter(is_name, os.listdir(os.path.join(self.folder, folder)))

    def tidy(self) -> None:
        """Remove what dead writers left half written."""
        if os.path.isdir(self._temporary):
            sweep(self._temporary)

    # -- in ----------------------------------------------------------------------------------------------------

    def put(self, data: Any) -> str:
        """Keep bytes; their name."""
        name = name_of(data)
        if not self.touch(name):
            with self.incoming(name) as target:
                write_all(target, memoryview(data).cast("B"))
        return name

    @contextlib.contextmanager
    def incoming(self, name: str) -> Iterator[int]:
        """A descriptor to write content to whose name is known; it is here when the body has ended well."""
        path = self.path(name)
        os.makedirs(self._temporary, mode=0o700, exist_ok=True)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with fresh(path, mode=0o400, durable=self._durable, temporary=self._temporary) as new:
            yield new.descriptor

    def settle(self, descriptor: int, path: str, name: str) -> None:
        """Have a file of the store's own disk, open and complete, under the name of its content."""
        if self._durable:
            os.fsync(descriptor)
        os.rename(path, self.path(name))
        if self._durable:
            sync_folder(os.path.dirname(self.path(name)))

    def put_file(self, path: str, progress: Progress = _silent) -> tuple[str, int]:
        """Keep what a file holds now: (name, size).  A file that is being written to is read again, a few times.

        Raises:
            NotFound: there is no such file.
            StorageError: it cannot be read or kept.
        """
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(f"{path} does not exist, so it cannot be handed over.") from None
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}.") from None
        try:
            for left in reversed(range(TRIES)):
                before = identity(os.fstat(source))
                name, size = self._take(source, progress)
                if not left or identity(os.fstat(source)) == before:
                    return name, size
                os.lseek(source, 0, os.SEEK_SET)
            raise AssertionError("unreachable")
        finally:
            os.close(source)

    def _take(self, source: int, progress: Progress) -> tuple[str, int]:
        """Copy first, as the name is known only then."""
        os.makedirs(self._temporary, mode=0o700, exist_ok=True)
        unnamed = os.path.join(self._temporary, "unnamed")
        with fresh(unnamed, mode=0o400, durable=self._durable, temporary=self._temporary) as new:
            name, size = copy_hashed(source, new.descriptor, "", progress)
            new.path = self.path(name)
            os.makedirs(os.path.dirname(new.path), mode=0o700, exist_ok=True)
        return name, size

    # -- out ---------------------------------------------------------------------------------------------------

    def bring(self, name: str) -> str:
        """The path of content that is here now, fetched if need be.

        Raises:
            NotFound: it is nowhere.
        """
        path = self.path(name)
        if not os.path.exists(path) and not self.fetch(name) and not os.path.exists(path):
            raise NotFound(f"Content {name} is not in the store {self.folder}, and nobody who has it could be asked.")
        return path

    def read(self, name: str, what: str = "") -> bytes:
        """Content as bytes, checked.

        Raises:
            ContentDamaged: what is here is not what was put, nor is it elsewhere; says `what` it was to be.
        """
        for again in (True, False):
            with open(self.bring(name), "rb") as file:
                data = file.read()
            if name_of(data, name) == name:
                return data
            self.damaged(name, what, last=not again)
        raise AssertionError("unreachable")

    def copy_to(self, name: str, path: str, *, mode: int = 0o666, what: str = "", progress: Progress = _silent) -> None:
        """Make `path` a file of this content at once, replacing a file that is there; checked on the way.

        Raises:
            ContentDamaged: what is here is not what was put, nor is it elsewhere; says `what` it was to be.
        """
        for again in (True, False):
            source = os.open(self.bring(name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                with fresh(path, mode=mode) as new:
                    if copy_hashed(source, new.descriptor, name, progress)[0] == name:
                        return
                    raise _Differs
            except _Differs:
                self.damaged(name, what or path, last=not again)
            finally:
                os.close(source)

    def map(self, name: str) -> Any:
        """Content mapped into memory, nothing copied; writing to it changes no file.  Unchecked but for being whole."""
        with open(self.bring(name), "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def damaged(self, name: str, what: str, *, last: bool) -> None:
        """Content that is not what its name says goes away, so that it is fetched anew; if it can be."""
        with contextlib.suppress(OSError):
            os.unlink(self.path(name))
        if last or not (self.fetch(name) or self.has(name)):
            raise ContentDamaged(
                f"What is kept of {what or name} is damaged: its hash is not {name}, and there is no other copy. "
                "Have the work that made it run again."
            )

    def check(self, name: str) -> bool:
        """Whether what is here is what its name says."""
        digest = Digest(name, threads=True)
        with open(self.path(name), "rb") as file:
            for chunk in chunks(file.fileno()):
                digest.update(chunk)
        return digest.name == name


class _Differs(Exception):
    """The copy is not of the name it should be of."""


def identity(stat: os.stat_result) -> list[int]:
    """Tells a file from itself after a change, without reading it."""
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
