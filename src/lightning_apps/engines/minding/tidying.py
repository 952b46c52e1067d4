"""What lies in a machine's store, who uses it, and the removal of what nobody has used for long.  Knows nothing of what it is.

Whoever uses a folder holds a shared lock on the file beside it (`NAME.use`), which the kernel gives up when that process ends, however it
ends; its time is when it was taken last.  Only who gets that lock for itself may remove the folder, and takes it away whole first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator

KEPT = {"app-": 5, "env-": 3, "files-": 0}  # folders with this at the beginning, and how many that nobody uses are kept
YOUNG = 3600.0  # seconds since its last use in which a folder is kept in any case, beyond those
GONE = "gone-"
STRAY = 86400.0  # seconds after which something half done is nobody's any more


def use(folder: str) -> int:
    """Hold this folder, there or not yet, until the descriptor that this returns is closed."""
    path = f"{folder}.use"
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(held).st_ino == os.stat(path).st_ino:
                os.utime(held)
                return held
        os.close(held)  # it was removed in that moment: the next one is another file


def tidy(store: str, now: float | None = None) -> list[str]:
    """Remove what nobody uses, but for the newest of each kind and what was used lately; the names of what went."""
    moment = time.time() if now is None else now
    removed = []
    for kind, kept in KEPT.items():
        names = [name for name in _folders(store) if name.startswith(kind)]
        idle = sorted(names, key=lambda name: _last_use(store, name), reverse=True)[kept:]
        young = YOUNG if kept else 0.0
        removed += [name for name in idle if moment - _last_use(store, name) >= young and _take_away(store, name)]
    for name in os.listdir(store):
        if name.startswith(GONE) or (name.startswith("tmp") and moment - _time(os.path.join(store, name)) > STRAY):
            _remove(os.path.join(store, name))
    return removed


def remove(store: str, name: str) -> None:
    """Remove this folder, unless somebody uses it."""
    with contextlib.suppress(OSError):
        if _take_away(store, name):
            _remove(os.path.join(store, _gone(name)))


def _gone(name: str) -> str:
    return f"{GONE}{os.getpid()}-{name}"


def _take_away(store: str, name: str) -> bool:
    """Whether nobody used it, and it is out of the way now."""
    folder = os.path.join(store, name)
    with _alone(f"{folder}.use") as free:
        if free:
            with contextlib.suppress(OSError):
                os.rename(folder, os.path.join(store, _gone(name)))
            for beside in (f"{folder}.use", f"{folder}.lock"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(beside)
        return free


@contextlib.contextmanager
def _alone(path: str) -> Iterator[bool]:
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(held)


def _folders(store: str) -> list[str]:
    return sorted(entry.name for entry in os.scandir(store) if entry.is_dir(follow_symlinks=False))


def _last_use(store: str, name: str) -> float:
    path = os.path.join(store, name)
    return _time(f"{path}.use") or _time(path)


def _time(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)
