"""The folder of one run: logs, files, what was run and by whom.  Knows nothing of what the app does."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import socket
import time
from collections.abc import Sequence
from typing import IO, Any

import msgspec

from ..base.errors import RunError, UsageError
from ..base.settings import Settings
from ..engines import process_tree
from . import heartbeat

NAME = ".lightning-runs"


class HostEntry(msgspec.Struct):
    """Who runs the app: enough to tell this process from a later one of the same number."""

    pid: int
    started: str
    boot: str
    machine: str
    keeper: int = 0


class Made(msgspec.Struct):
    """Who made the folder of a run."""

    starter: HostEntry | None = None


ROOM = 256 << 10  # bytes


class RunFolder:
    """The paths of one run; `app_file` is "" for an app without a file."""

    def __init__(self, path: str, app_file: str = "") -> None:
        self.path, self.id, self.app_file = path, os.path.basename(path), app_file
        self.logs, self.files = os.path.join(path, "logs"), os.path.join(path, "files")
        self._lock: IO[str] | None = None

    @property
    def objects(self) -> str:
        """The content of all that, by its hash."""
        return os.path.join(self.files, "objects")

    @property
    def names(self) -> str:
        """What works have handed over, by work."""
        return os.path.join(self.files, "names")

    @property
    def shared(self) -> str:
        """What the works of the run share by name: drives, and the FileSystem."""
        return os.path.join(self.files, "shared")

    @property
    def arriving(self) -> str:
        """What is on its way there from other machines."""
        return os.path.join(self.files, "arriving")

    def log_files(self, work: str) -> tuple[str, str]:
        """Where the output and the errors of a work go."""
        safe = work.replace(os.sep, "_")
        return os.path.join(self.logs, f"{safe}.out"), os.path.join(self.logs, f"{safe}.err")

    @property
    def journal(self) -> str:
        """The run's journal."""
        return os.path.join(self.path, "journal.db")

    def secret(self) -> bytes:
        """What the tokens of this run's workers are made from; made at the first call, readable by its owner only."""
        path = os.path.join(self.path, "secret")
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(32))
        with open(path, "rb") as file:
            return file.read()

    def lock(self) -> None:
        """Be the only host of this run, until `unlock` or the end of this process (a POSIX record lock, which no child inherits).

        Raises:
            RunError: another host of it lives.
        """
        if self._lock is not None:
            return  # closing any descriptor of the file would give it up
        lock = open(os.path.join(self.path, "lock"), "a+")  # noqa: SIM115
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise RunError(self._held(self.entry())) from None
        entry = self.entry()
        if entry is not None and _is_elsewhere(entry) and (age := heartbeat.age(self.path)) < heartbeat.SILENT:
            lock.close()
            raise RunError(
                f"The run {self.id} goes on on the machine {entry.machine}, heard {age:.0f} s ago: stop it there, or try again when "
                f"it was not heard for {heartbeat.SILENT:g} s."
            )
        self._lock = lock

    def _held(self, entry: HostEntry | None) -> str:
        """Why the lock cannot be had."""
        age = heartbeat.age(self.path) if entry is not None and _is_elsewhere(entry) else 0.0
        if entry is None or age < heartbeat.SILENT:
            return f"The run {self.id} is still going on{_whose(entry)}: stop it first."
        path = os.path.join(self.path, "lock")
        return (
            f"The run {self.id} is locked by the machine {entry.machine}, which was not heard for {min(age, 1e9):.0f} s: stop it "
            f"there, or, if that machine is gone for good, remove the file {path} and try again."
        )

    def unlock(self) -> None:
        """Leave it to another process."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def entry(self) -> HostEntry | None:
        """Who said last that it is the host."""
        try:
            with open(os.path.join(self.path, "host.json"), "rb") as file:
                return msgspec.json.decode(file.read(), type=HostEntry)
        except (OSError, msgspec.DecodeError):
            return None

    def write_host(self, keeper: int = 0) -> None:
        """Be the host, and say so.

        Raises:
            RunError: another host of this run lives, which stays the one that is written down.
        """
        self.lock()
        write_json(os.path.join(self.path, "host.json"), this_process(keeper))

    def has_room(self) -> bool:
        """Whether there is room for what a host that takes over writes first.

        Raises:
            OSError: it cannot be written to for another reason.
        """
        path = os.path.join(self.path, "room")
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(bytes(ROOM))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return False
            raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        return True

    def host_lives(self) -> bool:
        """Whether the host that wrote itself down is still there; on another machine: holds its lock, or was heard lately."""
        entry = self.entry()
        if entry is not None and _is_elsewhere(entry):
            return heartbeat.is_locked(os.path.join(self.path, "lock")) or heartbeat.age(self.path) < heartbeat.SILENT
        return entry is not None and _lives(entry)

    def starts(self) -> bool:
        """Whether there is no host yet, and whoever made this folder is still about to start one."""
        try:
            with open(os.path.join(self.path, "app.json"), "rb") as file:
                starter = msgspec.json.decode(file.read(), type=Made).starter
        except (OSError, msgspec.DecodeError):
            starter = None
        return _is_young(self.path) and (starter is None or _lives(starter))


def base_folder(settings: Settings) -> str:
    """Where runs are kept."""
    return os.path.abspath(settings.run_dir or os.path.join(settings.home or os.getcwd(), NAME))


def of_settings(settings: Settings, app_file: str = "", command: Sequence[str] = ()) -> RunFolder:
    """The folder of a new run, or of the one that is to be taken up again.

    Raises:
        RunError: no such run, or it cannot be taken up.
        UsageError: the folder cannot be written.
    """
    return create(settings, app_file, command) if settings.resume is None else find(settings, settings.resume, app_file)


def find(settings: Settings, wanted: str, app_file: str) -> RunFolder:
    """The run with this id, or the last one of this app file.

    Raises:
        RunError: there is none, or it is somebody else's.
    """
    base = base_folder(settings)
    runs = all_runs(base)
    if wanted == "last":
        runs = [name for name in runs if _app_entry(os.path.join(base, name)).get("file") == os.path.abspath(app_file)]
    else:
        runs = [name for name in runs if name == wanted]
    if not runs:
        what = f"no run of {app_file}" if wanted == "last" else f"no run {wanted!r}"
        raise RunError(f"There is {what} in {base} to resume.")
    path = os.path.join(base, runs[-1])
    if os.stat(path).st_uid != os.getuid():
        raise RunError(f"The run folder {path} belongs to another user, so it is not loaded.")
    return RunFolder(path, os.path.abspath(app_file) if app_file else "")


def all_runs(base: str) -> list[str]:
    """The ids of the runs in a folder, oldest first; ids of the same second say nothing, so what was written then does."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(base):
            with contextlib.suppress(OSError):
                written = os.stat(os.path.join(base, name, "app.json")).st_mtime_ns
                found.append((name.partition("-")[0], written, name))
    return [name for _, _, name in sorted(found)]


def _app_entry(path: str) -> dict[str, Any]:
    try:
        with open(os.path.join(path, "app.json"), "rb") as file:
            found: dict[str, Any] = msgspec.json.decode(file.read())
            return found
    except (OSError, msgspec.DecodeError):
        return {}


def _whose(entry: HostEntry | None) -> str:
    return "" if entry is None else f" (process {entry.pid} on {entry.machine})"


def create(settings: Settings, app_file: str = "", command: Sequence[str] = (), now: float | None = None) -> RunFolder:
    """Make the folder of a new run, and remove all but the last 20 that have ended.

    Raises:
        UsageError: the folder cannot be written.
    """
    base = base_folder(settings)
    app_file = os.path.abspath(app_file) if app_file else ""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now if now is not None else time.time()))
    folder = RunFolder(os.path.join(os.path.abspath(base), f"{stamp}-{os.urandom(2).hex()}"), app_file)
    try:
        os.makedirs(base, mode=0o700, exist_ok=True)
        _ignore_in_git(base)
        for path in (folder.path, folder.logs, folder.files):
            os.mkdir(path, 0o700)
        entry = {"command": list(command), "file": app_file, "sha256": _digest(app_file), "starter": this_process()}
        write_json(os.path.join(folder.path, "app.json"), entry)
    except OSError as error:
        raise UsageError(
            f"The run folder {folder.path} cannot be made ({error.strerror}); choose another with --run-dir."
        ) from None
    _forget_old(base, folder.id, settings.keep_runs)
    return folder


def _ignore_in_git(base: str) -> None:
    with contextlib.suppress(FileExistsError), open(os.path.join(base, ".gitignore"), "x") as file:
        file.write("*\n")


def _digest(path: str) -> str:
    if not path or not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _forget_old(base: str, newest: str, keep: int) -> None:
    runs = all_runs(base)
    ended = [name for name in runs if name < newest and not RunFolder(os.path.join(base, name)).host_lives()]
    surplus = len(ended) - (keep - 1)
    for name in ended[: max(0, surplus)]:
        if not _is_young(os.path.join(base, name)):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)


def _is_young(path: str, seconds: float = 60.0) -> bool:
    """A run that is just starting has no host yet, and must not be taken for one that has ended."""
    try:
        no_host = not os.path.exists(os.path.join(path, "host.json"))
        return no_host and time.time() - os.stat(path).st_mtime < seconds
    except OSError:
        return False


def this_process(keeper: int = 0) -> HostEntry:
    """Enough to tell this process from any other."""
    me = process_tree.look(os.getpid())
    return HostEntry(os.getpid(), me.started if me else "", boot_id(), socket.gethostname(), keeper)


def _is_elsewhere(entry: HostEntry) -> bool:
    return entry.machine != socket.gethostname()


def _lives(entry: HostEntry) -> bool:
    if entry.machine != socket.gethostname():
        return True
    process = process_tree.look(entry.pid)
    if process is None or process.zombie:
        return False  # where nobody reaps, as in many containers, what has ended stays in the table
    return entry.boot == boot_id() and process.started == entry.started


def boot_id() -> str:
    """Which start of this machine it is; empty where the system does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def write_json(path: str, value: object) -> None:
    """Write a small file at once, readable by its owner only."""
    fresh = f"{path}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.encode(value))
    os.replace(fresh, path)
