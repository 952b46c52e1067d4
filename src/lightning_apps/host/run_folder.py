"""The folder of one run: logs, files, what was run and by whom.  Knows nothing of what the app does."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import time
from collections.abc import Sequence

import msgspec

from ..base.errors import UsageError
from ..base.settings import Settings
from ..engines import process_tree

KEEP = 20  # ended runs that stay
NAME = ".lightning-runs"


class HostEntry(msgspec.Struct):
    """Who runs the app: enough to tell this process from a later one of the same number."""

    pid: int
    started: str
    boot: str
    machine: str
    keeper: int = 0


class RunFolder:
    """The paths of one run; `app_file` is "" for an app without a file."""

    def __init__(self, path: str, app_file: str = "") -> None:
        self.path, self.id, self.app_file = path, os.path.basename(path), app_file
        self.logs, self.files = os.path.join(path, "logs"), os.path.join(path, "files")

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

    def write_host(self, keeper: int = 0) -> None:
        """Say that this process is the host."""
        me = process_tree.look(os.getpid())
        entry = HostEntry(os.getpid(), me.started if me else "", boot_id(), socket.gethostname(), keeper)
        write_json(os.path.join(self.path, "host.json"), entry)

    def host_lives(self) -> bool:
        """Whether the host that wrote itself down is still there; unknown for another machine, which counts as yes."""
        try:
            with open(os.path.join(self.path, "host.json"), "rb") as file:
                entry = msgspec.json.decode(file.read(), type=HostEntry)
        except (OSError, msgspec.DecodeError):
            return False
        if entry.machine != socket.gethostname():
            return True
        process = process_tree.look(entry.pid)
        return entry.boot == boot_id() and process is not None and process.started == entry.started


def create(settings: Settings, app_file: str = "", command: Sequence[str] = (), now: float | None = None) -> RunFolder:
    """Make the folder of a new run, and remove all but the last 20 that have ended.

    Raises:
        UsageError: the folder cannot be written.
    """
    base = settings.run_dir or os.path.join(settings.home or os.getcwd(), NAME)
    app_file = os.path.abspath(app_file) if app_file else ""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now if now is not None else time.time()))
    folder = RunFolder(os.path.join(os.path.abspath(base), f"{stamp}-{os.urandom(2).hex()}"), app_file)
    try:
        os.makedirs(base, mode=0o700, exist_ok=True)
        _ignore_in_git(base)
        for path in (folder.path, folder.logs, folder.files):
            os.mkdir(path, 0o700)
        entry = {"command": list(command), "file": app_file, "sha256": _digest(app_file)}
        write_json(os.path.join(folder.path, "app.json"), entry)
    except OSError as error:
        raise UsageError(
            f"The run folder {folder.path} cannot be made ({error.strerror}); choose another with --run-dir."
        ) from None
    _forget_old(base, folder.id)
    return folder


def _ignore_in_git(base: str) -> None:
    with contextlib.suppress(FileExistsError), open(os.path.join(base, ".gitignore"), "x") as file:
        file.write("*\n")


def _digest(path: str) -> str:
    if not path or not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _forget_old(base: str, newest: str) -> None:
    runs = sorted(name for name in os.listdir(base) if os.path.exists(os.path.join(base, name, "app.json")))
    ended = [name for name in runs if name < newest and not RunFolder(os.path.join(base, name)).host_lives()]
    surplus = len(ended) - (KEEP - 1)
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
