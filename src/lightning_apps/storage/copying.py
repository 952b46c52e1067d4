"""Copies one file so that a reader sees all of it or nothing: a clone where the disk can, else one pass that copies and hashes.

Knows nothing of stores.  Cloning is Linux's FICLONE (ioctl_ficlone(2)).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator

from ..base.errors import StorageError
from .hashing import Digest

FICLONE = 0x40049409
SMALL = 1 << 20  # bytes up to which a file is read at once
CHUNK = 4 << 20
ALIGN = 1 << 12
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
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"{path} cannot be written: the disk is full. Free some space there and run it again.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StorageError(f"{path} cannot be written: {error.strerror}.")
    return error


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
    digest = Digest(like, threads=True)
    if clone(source, target):
        total = os.fstat(target).st_size
        for chunk in chunks(target):
            digest.update(chunk)
            progress(len(chunk))
        return digest.name, total
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
    """This thread copies inside the kernel; another hashes what has arrived, right behind."""
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    failed: list[BaseException] = []

    def follow() -> None:
        at, buffer = 0, bytearray(CHUNK)
        try:
            while count := arrived.get():
                view = memoryview(buffer)[:count]
                read_into(target, view, at)
                digest.update(view)
                at += count
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=follow, name="hash", daemon=True)
    thread.start()
    total = 0
    try:
        for count in _copied(source, target):
            arrived.put(count)
            progress(count)
            total += count
    finally:
        arrived.put(0)
        thread.join()
    if failed:
        raise failed[0]
    return total


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
    """All of it, however often the system has to be asked."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


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
