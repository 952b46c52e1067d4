"""Small things that tests of the older framework import: a marker, scripts run as processes, a queue.  Nothing of ours uses them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from queue import Empty
from typing import Any

from ..model.legacy_packages import module_available

__all__ = ["_MockQueue", "_RunIf", "_call_script", "_run_script"]


class _RunIf:
    """A pytest marker that skips a test unless its conditions hold: `@_RunIf(min_python="3.11", skip_mac_os=True)`.

    Args:
        args: more conditions of `pytest.mark.skipif`.
        pl: PyTorch Lightning has to be installed.
        flash: Lightning Flash has to be installed.
        min_python: the oldest Python, as "3.11".
        skip_windows, skip_linux, skip_mac_os: not on that system.
        local_end_to_end: has no effect.
        cloud: skips always: the older framework's cloud is gone.
        kwargs: options of `pytest.mark.skipif`.
    """

    def __new__(
        cls,
        *args: Any,
        pl: bool = False,
        flash: bool = False,
        min_python: str | None = None,
        skip_windows: bool = False,
        skip_linux: bool = False,
        skip_mac_os: bool = False,
        local_end_to_end: bool = False,
        cloud: bool = False,
        **kwargs: Any,
    ) -> Any:
        import pytest

        unmet = {
            f"python>={min_python}": min_python is not None and sys.version_info < _version(min_python),
            "unimplemented on Windows": skip_windows and sys.platform == "win32",
            "unimplemented on linux": skip_linux and sys.platform == "linux",
            "unimplemented on MacOS": skip_mac_os and sys.platform == "darwin",
            "PyTorch Lightning is required.": pl and not module_available("pytorch_lightning"),
            "Lightning Flash is required.": flash and not module_available("flash"),
            "Cloud End to End tests should not run.": cloud,
        }
        reasons = " + ".join(reason for reason, holds in unmet.items() if holds)
        mark: Any = pytest.mark.skipif
        return mark(*args, condition=bool(reasons), reason=f"Requires: [{reasons}]", **kwargs)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _call_script(
    filepath: str, args: Sequence[object] | None = None, timeout: float | None = 600.0
) -> tuple[int, str, str]:
    """Run a Python file as a process, at most `timeout` seconds; its exit code, what it printed, and what on stderr."""
    command = [sys.executable, filepath, *map(str, args or ())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
    return process.returncode, out, err


def _run_script(filepath: str) -> None:
    """Run a Python file as a process, print what it printed, and assert that it ended well."""
    code, out, err = _call_script(filepath)
    sys.stdout.write(f"{filepath} STDOUT: {out}\n{filepath} STDERR: {err}\n")
    assert not code, code


class _MockQueue:
    """A list that speaks like a queue; `get` never waits."""

    def __init__(self, name: str = "", default_timeout: float = 0) -> None:
        self.name, self.default_timeout = name, default_timeout
        self._items: list[Any] = []

    def put(self, item: Any) -> None:
        """Add at the end."""
        self._items.append(item)

    def get(self, timeout: float = 0) -> Any:
        """Take from the front.

        Raises:
            queue.Empty: there is nothing.
        """
        if not self._items:
            raise Empty
        return self._items.pop(0)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items})"
