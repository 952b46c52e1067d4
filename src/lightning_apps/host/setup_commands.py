"""Runs the setup commands of an app file in this interpreter's environment.  Knows nothing of apps."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from ..base.errors import UsageError
from .comment_commands import commands_of

REMIND_AFTER = 10.0  # seconds between two lines that say what is waited for
GRACE = 5.0  # seconds a command has to end after it was told to


def run_setup(path: str, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Run the setup commands of the file in order, in this interpreter's environment; what they print goes to stderr.

    Args:
        path: the app file.
        environ: the variables the commands see; the folder of this interpreter comes first on their PATH.
        say: told which command runs, and every ten seconds which one is waited for.

    Raises:
        UsageError: a command failed; the sentence has its line and exit code.
    """
    commands = commands_of(path)
    surroundings = _of_this_interpreter(environ)
    for index, (number, command) in enumerate(commands, start=1):
        say(f"Running setup command {index} of {len(commands)}: {command}")
        code = _run(command, surroundings, say)
        if code:
            ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise UsageError(
                f"The setup command `{command}` in line {number} of `{path}` {ended}: mend it, or run without --setup."
            )


def _of_this_interpreter(environ: Mapping[str, str]) -> dict[str, str]:
    folder = os.path.dirname(sys.executable)
    surroundings = {**environ, "PATH": os.pathsep.join(filter(None, [folder, environ.get("PATH", os.defpath)]))}
    if sys.prefix != sys.base_prefix:
        surroundings["VIRTUAL_ENV"] = sys.prefix
    return surroundings


def _ours(command: str) -> str:
    """`pip …` means this interpreter's pip, also where its folder has no such script."""
    first, _, rest = command.partition(" ")
    return f"{shlex.quote(sys.executable)} -m pip {rest}" if first in ("pip", "pip3") else command


def _run(command: str, environ: dict[str, str], say: Callable[[str], None]) -> int:
    """Run one command and return its exit code; where we are ended before it, so is it.

    It has a session of its own, to be ended as a whole, and so no terminal to ask questions on.
    """
    with _termination_unwinds():
        process = subprocess.Popen(
            _ours(command), shell=True, env=environ, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
        )
        try:
            return _awaited(process, command, say)
        except BaseException:
            _end(process)
            raise


def _awaited(process: subprocess.Popen[bytes], command: str, say: Callable[[str], None]) -> int:
    waited = 0.0
    while True:
        try:
            return process.wait(REMIND_AFTER)
        except subprocess.TimeoutExpired:
            waited += REMIND_AFTER
            say(f"Waiting for the setup command `{command}` ({waited:.0f} s so far).")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The command and what it started in its group: told to end, then made to."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE)
        except (ProcessLookupError, subprocess.TimeoutExpired, PermissionError):
            continue


@contextmanager
def _termination_unwinds() -> Iterator[None]:
    """SIGTERM unwinds the stack with exit code 143, so that the command is ended too."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
