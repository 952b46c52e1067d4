"""What all tests share: waiting for a condition, and running the command line as real processes that surely end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no reason to fail
settings.load_profile("untimed")

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
MARK = "LIGHTNING_TEST_MARK"  # every process that an app starts inherits it, whatever its session or parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script: what the tests start would ignore Ctrl-C as well, and many are about it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def eventually(condition: Callable[[], T], timeout: float = 10.0, *, what: str | Callable[[], str] = "") -> T:
    """Return `condition()` as soon as it is true; fail after `timeout` seconds, saying `what` was waited for."""
    deadline = time.monotonic() + timeout
    pause = 0.001
    while not (value := condition()):
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            pytest.fail(f"not within {timeout} s: {said or getattr(condition, '__name__', condition)}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return value


def marked(mark: str) -> dict[int, str]:
    """Every living process that carries `mark` in its environment, with its command line."""
    wanted, found = f"{MARK}={mark}\0".encode(), {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if wanted in Path(f"/proc/{entry}/environ").read_bytes() and not _is_zombie(entry):
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                found[int(entry)] = b" ".join(words).decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
    return found


def _is_zombie(entry: str) -> bool:
    return Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


class CommandProcess:
    """One run of the command line: its output so far, its end, and what it left behind."""

    def __init__(self, arguments: list[str], folder: Path, cwd: Path, environ: Mapping[str, str]) -> None:
        self.mark = uuid.uuid4().hex
        self._out, self._err = folder / f"{self.mark}.out", folder / f"{self.mark}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env={**environ, MARK: self.mark},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self._err.read_text(errors="replace")

    def living(self) -> dict[int, str]:
        """The process and all that descends from it, as pid and command line."""
        return marked(self.mark)

    def wait_for(self, text: str, timeout: float = 20.0, *, stream: str = "stdout") -> None:
        """Wait until `text` was printed; fail at once if the process ends without."""

        def printed_or_over() -> bool:
            over = self.process.poll() is not None
            return text in getattr(self, stream) or over

        eventually(printed_or_over, timeout, what=lambda: f"{text!r} on {stream}\n{self.report()}")
        assert text in getattr(self, stream), f"the process ended without {text!r} on {stream}\n{self.report()}"

    def wait(self, timeout: float = 90.0) -> int:
        """The exit code; fails when the process has not ended after `timeout` seconds."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {timeout} s\n{self.report()}")

    def signal(self, number: int) -> None:
        """Send a signal to the process itself."""
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C: a terminal sends SIGINT to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def assert_nothing_left(self, timeout: float = 2.0) -> None:
        """Fail if any process that the command started is still there `timeout` seconds after its end."""
        eventually(lambda: not self.living(), timeout, what=lambda: f"no process left\n{self.report()}")

    def end(self) -> None:
        """Kill whatever is left, for sure."""
        while left := self.living():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if self.process.poll() is None:
                self.process.wait()
            time.sleep(0.01)
        self.process.wait()

    def report(self) -> str:
        """Everything known about this run, for the message of a failed test."""
        left = "\n".join(f"{pid}: {command}" for pid, command in self.living().items()) or "none"
        return (
            f"exit code: {self.process.poll()}\n--- stdout\n{self.stdout}\n"
            f"--- stderr\n{self.stderr}\n--- processes\n{left}"
        )


class CommandLine:
    """Starts `python -m lightning_apps …` in a folder and an environment of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[CommandProcess] = []

    def environ(self) -> dict[str, str]:
        """The variables here without our settings or the test runner's, and with a home of the test's own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LIGHTNING_", "PYTEST_", "COVERAGE_"))}
        kept.pop("PYTHONUNBUFFERED", None)
        return {**kept, "LIGHTNING_HOME": str(self.folder / "home"), "NO_COLOR": "1"}

    def start(
        self, *words: str | os.PathLike[str], cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> CommandProcess:
        """Start `lightning WORDS…` and return at once."""
        return self.execute([sys.executable, "-m", "lightning_apps", *map(os.fspath, words)], cwd=cwd, env=env)

    def execute(
        self, arguments: list[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> CommandProcess:
        """Start any command in the same surroundings."""
        process = CommandProcess(arguments, self.folder, cwd or self.folder, {**self.environ(), **(env or {})})
        self.started.append(process)
        return process

    def run(self, *words: str | os.PathLike[str], timeout: float = 60.0, **options: Any) -> CommandProcess:
        """Run `lightning WORDS…` to its end and check that nothing is left of it; `.process.returncode` is its code."""
        process = self.start(*words, **options)
        process.wait(timeout)
        process.assert_nothing_left()
        return process

    def app(self, text: str, name: str = "app.py") -> Path:
        """Write an app file into the test's folder."""
        path = self.folder / name
        path.write_text(text)
        return path


@pytest.fixture(name="eventually", scope="session")
def _eventually() -> Callable[..., Any]:
    """`eventually(condition, timeout=10)`: wait for a condition without sleeping a fixed time."""
    return eventually


@pytest.fixture
def command_line(tmp_path: Path) -> Iterator[CommandLine]:
    """Runs `lightning …` as real processes; all of them are ended after the test, whatever happened in it."""
    line = CommandLine(tmp_path)
    yield line
    for process in line.started:
        process.end()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top folder of this project."""
    return ROOT
