"""Copies one file so that a reader sees all of it or nothing: a clone where the disk can, else one pass that copies and hashes.

Knows nothing of stores.  Cloning is Linux's FICLONE (ioctl_ficlone(2)).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ..base.errors import StorageError
from .hashing import Digest

FICLONE = 0x40049409
SMALL = 1 << 20  # bytes up to which a file is read at once
CHUNK = 4 << 20
PORTION = (
    1 << 18
)  # bytes for one read, hash or write: a core's cache has them, and a virtual machine such small pages at hand
PORTIONS = 8  # of them under way
NO_CLONE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM})
NO_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF})

Progress = Callable[[int], None]  # told how many bytes have been copied since it was told last


def _silent(count: int) -> None:
    """Nobody watches."""


class Fresh:
    """A file that is being made: its open descriptor, and the path it will have."""

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor, self.path = descriptor, path


@contextlib.contextmanager
def fresh(path: str, *, mode: int = 0o666, durable: bool = False, temporary: str = "") -> Iterator[Fresh]:
    """A new file that becomes `path` at the end, at once; nothing is left if the body raises.

    Args:
        path: the body may still change it.
        mode: as of `open`, less the umask.
        durable: whether it also has to survive a power cut.
        temporary: the folder it is written in until then, on the same disk; "" for the one it belongs in.

    Raises:
        StorageError: the disk is full, or does not take it.
    """
    folder = temporary or os.path.dirname(path) or "."
    before = os.path.join(folder, f".part-{os.urandom(8).hex()}")
    try:
        descriptor = _create(before, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # whoever tidies up sees that we live
            new = Fresh(descriptor, path)
            yield new
            if durable:
                os.fsync(descriptor)
            os.rename(before, new.path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(before)
            raise
        finally:
            os.close(descriptor)
        if durable:
            sync_folder(os.path.dirname(new.path) or ".")
    except OSError as error:
        raise cannot_write(path, error) from error


def _create(path: str, mode: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, mode)


def cannot_write(path: str, error: OSError) -> OSError | StorageError:
    """The sentence for a disk that does not take a file; other errors as they are."""
    if isinstance(error, StorageError):
        return error
    if is_full(error):
        return StorageError(f"{path} cannot be written: the disk is full. Free some space there and run it again.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StorageError(f"{path} cannot be written: {error.strerror}.")
    return error


def is_full(error: BaseException) -> bool:
    """Whether a disk had no room."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def sync_folder(path: str) -> None:
    """Have the names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: str) -> None:
    """Remove what writers that are dead left half written."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if not name.startswith(".part-") or os.path.isdir(path):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(descriptor)


# one file into another ---------------------------------------------------------------------------------------


def copy_hashed(source: int, target: int, like: str = "", progress: Progress = _silent) -> tuple[str, int]:
    """Everything of one open file into an empty one: (name of what is in the second now, its size).

    The name is of what was written, whatever happens to the source meanwhile.
    """
    size = os.fstat(source).st_size
    if size <= SMALL:
        return _copy_small(source, target, like, progress)
    if clone(source, target):
        digest, total = Digest(like, threads=True), os.fstat(target).st_size
        for chunk in chunks(target):
            digest.update(chunk)
            progress(len(chunk))
        return digest.name, total
    digest = Digest(like)
    total = _copy_behind(source, target, digest, progress)
    return digest.name, total


def _copy_small(source: int, target: int, like: str, progress: Progress) -> tuple[str, int]:
    digest, total = Digest(like), 0
    while data := os.read(source, SMALL):
        write_all(target, data)
        digest.update(data)
        total += len(data)
    progress(total)
    return digest.name, total


def clone(source: int, target: int) -> bool:
    """Let both share what is on disk until one is written to; False where the disk cannot."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in NO_CLONE:
            return False
        raise
    return True


def _copy_behind(source: int, target: int, digest: Digest, progress: Progress) -> int:
    """Another thread reads and hashes; this one writes the very bytes that were hashed, while a cache still has them."""
    free: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
    hashed: queue.SimpleQueue[tuple[memoryview, int] | BaseException | None] = queue.SimpleQueue()
    for _ in range(PORTIONS):
        free.put(memoryview(mmap.mmap(-1, PORTION)))  # whole pages are copied faster
    thread = threading.Thread(target=_read_ahead, args=(source, digest, free, hashed), name="hash", daemon=True)
    thread.start()
    total = 0
    try:
        while (portion := hashed.get()) is not None:
            if isinstance(portion, BaseException):
                raise portion
            buffer, count = portion
            write_all(target, buffer[:count])
            free.put(buffer)
            progress(count)
            total += count
    finally:
        free.put(None)
        thread.join()
    return total


def _read_ahead(source: int, digest: Digest, free: Any, hashed: Any) -> None:
    try:
        while (buffer := free.get()) is not None and (count := os.readv(source, [buffer])):
            digest.update(buffer[:count])
            hashed.put((buffer, count))
        hashed.put(None)
    except BaseException as error:
        hashed.put(error)


def _copied(source: int, target: int) -> Iterator[int]:
    """The sizes of what was copied, piece by piece."""
    while True:
        try:
            count = os.copy_file_range(source, target, CHUNK)
        except OSError as error:
            if error.errno not in NO_RANGE:
                raise
            break
        if not count:
            return
        yield count
    while data := os.read(source, CHUNK):
        write_all(target, data)
        yield len(data)


def copy_plain(source: int, target: int) -> None:
    """Everything of one open file into an empty one, unhashed."""
    if not clone(source, target):
        for _ in _copied(source, target):
            """It is under way."""


def write_all(target: int, data: bytes | memoryview) -> None:
    """All of it, in portions: for a large one the kernel takes large pages, which a virtual machine may have to ask its host for."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view[:PORTION]) :]


def write_at(target: int, data: memoryview, at: int) -> None:
    """All of it, at a place in a file."""
    while data:
        count = os.pwrite(target, data[:PORTION], at)
        data, at = data[count:], at + count


def read_into(source: int, view: memoryview, at: int) -> None:
    """Fill a buffer from a place in a file that is known to be long enough."""
    while view:
        count = os.preadv(source, [view], at)
        if not count:
            raise StorageError("A file became shorter while it was read.")
        view, at = view[count:], at + count


def chunks(source: int, start: int = 0, end: int | None = None) -> Iterator[memoryview]:
    """What is in a file, in pieces that last until the next is asked for."""
    buffer, at = memoryview(bytearray(CHUNK)), start
    while end is None or at < end:
        count = os.preadv(source, [buffer if end is None else buffer[: end - at]], at)
        if not count:
            return
        yield buffer[:count]
        at += count
