"""What a run was made of: the app's code, git's word on it, the interpreter and the packages.  Written beside the journal.

Collected on a thread of its own while the app begins; what is not there when the app ends stays unknown.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import sys
import threading
from collections.abc import Iterable
from typing import Any

from ..base import settings as all_settings
from .run_folder import RunFolder, write_json

CODE, DIFF = "code.json", "diff.patch"
LONGEST_DIFF = 8 << 20
GIT_PATIENCE = 20.0  # seconds
DISTRIBUTION = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+).*\.(dist|egg)-info$")


class Provenance:
    """Collects for one host; `finish` when the app ends."""

    def __init__(self, folder: RunFolder, generation: int) -> None:
        self._folder, self._generation = folder, generation
        self._git: Any = None
        self._over = False
        modules = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
        self._modules = {name: path for name, path in modules.items() if path}
        self._thread = threading.Thread(target=self._collect, name="lightning-provenance", daemon=True)
        self._thread.start()

    def finish(self, patience: float = 0.5) -> None:
        """Wait a moment for what is under way; git is ended if it takes longer."""
        self._thread.join(patience)
        self._over = True
        if self._git is not None and self._thread.is_alive():
            with contextlib.suppress(OSError):
                self._git.kill()
            self._thread.join(patience)

    def _collect(self) -> None:
        with contextlib.suppress(OSError):
            self._keep_former()
            found = self._surroundings()
            write_json(os.path.join(self._folder.path, CODE), found)
            if self._folder.app_file and not self._over:
                found["git"] = self._ask_git(os.path.dirname(self._folder.app_file))
                write_json(os.path.join(self._folder.path, CODE), found)

    def _keep_former(self) -> None:
        """What an earlier host of the run had found stays, under its number."""
        path = os.path.join(self._folder.path, CODE)
        if os.path.exists(path):
            os.replace(path, os.path.join(self._folder.path, f"code-{self._generation - 1}.json"))

    def _surroundings(self) -> dict[str, Any]:
        return {
            "host": self._generation,
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
            "platform": platform.platform(),
            "machine": platform.node(),
            "modules": hashes(self._folder.app_file, self._modules),
            "packages": packages(sys.path),
            "git": None,
        }

    def _ask_git(self, folder: str) -> dict[str, Any] | None:
        """The commit, and what differs from it; None outside of a repository, or without git."""
        commit = self._output(folder, "rev-parse", "HEAD")
        if commit is None:
            return None
        status = self._output(folder, "status", "--porcelain", "--untracked-files=no")
        diff = self._output(folder, "diff", "--no-ext-diff", "--no-textconv", "HEAD") if status else b""
        found: dict[str, Any] = {
            "commit": commit.decode().strip(),
            "dirty": bool(status) if status is not None else None,
        }
        if diff:
            found["diff"] = {
                "sha256": hashlib.sha256(diff).hexdigest(),
                "bytes": len(diff),
                "kept": len(diff) <= LONGEST_DIFF,
            }
            with open(
                os.open(os.path.join(self._folder.path, DIFF), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
            ) as file:
                file.write(diff[:LONGEST_DIFF])
        return found

    def _output(self, folder: str, *words: str) -> bytes | None:
        """What git says, or None if it cannot; it takes no locks and asks for nothing."""
        import subprocess

        environ = {**all_settings.environ(), "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        try:
            self._git = subprocess.Popen(
                ["git", *words], cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )  # fmt: skip
            out: bytes = self._git.communicate(timeout=GIT_PATIENCE)[0]
        except (OSError, ValueError):
            return None
        except subprocess.TimeoutExpired:
            self._git.kill()
            self._git.wait()
            return None
        return out if self._git.returncode == 0 else None


def hashes(app_file: str, modules: dict[str, str]) -> dict[str, str]:
    """SHA-256 of the app's own modules by path: those that lie beside or below the app file, and are no installed package."""
    if not app_file:
        return {}
    base = os.path.dirname(os.path.abspath(app_file))
    own = {app_file, *(os.path.abspath(path) for path in modules.values() if path.endswith(".py"))}
    found = {}
    for path in sorted(own):
        inside = path.startswith(base + os.sep)
        if inside and "site-packages" not in path and not path.startswith(sys.prefix + os.sep):
            with contextlib.suppress(OSError), open(path, "rb") as file:
                found[os.path.relpath(path, base)] = hashlib.sha256(file.read()).hexdigest()
    return found


def packages(folders: Iterable[str]) -> dict[str, str]:
    """Name to version of every installed distribution, from the names of their folders (PEP 376, PEP 427): a moment, where
    `importlib.metadata` reads a file for each."""
    found: dict[str, str] = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            for entry in os.listdir(folder or "."):
                match = DISTRIBUTION.match(entry) if entry.endswith("-info") else None
                if match is not None:
                    found.setdefault(match["name"].lower().replace("_", "-"), match["version"])
    return dict(sorted(found.items()))
