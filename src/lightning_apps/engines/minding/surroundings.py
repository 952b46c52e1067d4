"""What a worker needs on a machine that may not have it: the app's folder and its packages, each made once per machine.

Everything lies in one folder of the user's own, by content, and is put there whole or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

from ...base.errors import EngineError
from . import parcel as parcels

LAST_LINES = 12  # of an installer that has failed


def store() -> str:
    """The folder on this machine, readable by its owner only.

    Raises:
        EngineError: somebody else owns it.
    """
    path = os.path.join(tempfile.gettempdir(), f"lightning-apps-{os.getuid()}")
    os.makedirs(path, mode=0o700, exist_ok=True)
    found = os.lstat(path)
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EngineError(f"The folder {path} is not this user's own (mode 0700), so nothing is put there: remove it.")
    return path


def folder_of(digest: str) -> str:
    """Where the parcel with this digest is, or will be."""
    return os.path.join(store(), f"app-{digest}")


def files_of(mark: str) -> str:
    """Where the worker with this mark has its files, as long as it is there."""
    return os.path.join(store(), f"files-{hashlib.blake2b(mark.encode(), digest_size=16).hexdigest()}")


def remove(folder: str) -> None:
    """What a worker kept there; what it handed over, others have by now."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{folder}.use")


def environment_of(requirements: Sequence[str]) -> str:
    """Where the Python with these packages is, or will be; "": the one of this process has all."""
    if not requirements:
        return ""
    text = _described(requirements)
    return os.path.join(store(), f"env-{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}")


def _described(requirements: Sequence[str]) -> str:
    return "\n".join(sorted(requirements)) + f"\n{sys.version}\n{sys.executable}"


def keep_parcel(digest: str, archive: str) -> None:
    """Unpack what has arrived.

    Raises:
        EngineError: it is not what was asked for.
    """
    goal = folder_of(digest)
    try:
        parcels.unpack(archive, goal)
    except (OSError, ValueError) as error:
        raise EngineError(f"The app's folder cannot be unpacked here: {error}.") from None
    if parcels.digest_of(goal) != digest:
        shutil.rmtree(goal, ignore_errors=True)
        raise EngineError("The app's folder has arrived damaged.")


def interpreter(requirements: Sequence[str]) -> str:
    """A Python that has these packages beside everything this one has: this one where nothing is asked for.

    Raises:
        EngineError: they cannot be installed; with the installer's last lines.
    """
    if not requirements:
        return sys.executable
    goal = environment_of(requirements)
    python = os.path.join(goal, "bin", "python")
    with _alone(f"{goal}.lock"):
        if not os.path.exists(os.path.join(goal, "whole")):
            shutil.rmtree(goal, ignore_errors=True)
            try:
                _make(goal, python, requirements)
            except (EngineError, subprocess.SubprocessError):
                shutil.rmtree(goal, ignore_errors=True)
                raise
            with open(os.path.join(goal, "whole"), "w") as file:
                file.write(_described(requirements))
    return python


def _make(goal: str, python: str, requirements: Sequence[str]) -> None:
    """With uv where it is there, else with venv and pip."""
    uv = shutil.which("uv")
    if uv:
        _run([uv, "venv", "--quiet", "--system-site-packages", "--python", sys.executable, goal], requirements)
    else:
        _run([sys.executable, "-m", "venv", "--system-site-packages", goal], requirements)
    _see_also(python)
    installer = (
        [uv, "pip", "install", "--quiet", "--python", python] if uv else [python, "-m", "pip", "install", "--quiet"]
    )
    _run([*installer, *requirements], requirements)


def _see_also(python: str) -> None:
    """An environment of an environment sees the packages of the first one's base only: name the others."""
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    with open(os.path.join(site, "outer.pth"), "w") as file:
        file.write("".join(f"{path}\n" for path in sys.path if path.endswith(("site-packages", "dist-packages"))))
        file.write(f"{os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))}\n")


def _run(command: Sequence[str], requirements: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-LAST_LINES:])
        raise EngineError(f"The packages {', '.join(requirements)} cannot be installed there:\n{said}")


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
