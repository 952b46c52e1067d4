"""RunningApp: an app file run by `lightning run app` as real processes, for a test that looks on from outside and ends it for sure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from ..base import settings
from ..base.errors import KitError, LightningError
from ..engines import process_tree
from ..host.run_catalog import past_of
from ..host.run_folder import RunFolder, all_runs
from ..host.web import FILE as WEB_FILE

__tracebackhide__ = True  # for pytest: a test's author is shown the test
MARK = "LIGHTNING_APP_UNDER_TEST"  # carried by every process of the app, whatever its session or parent
PATIENCE = 30.0  # seconds
GRACE = 5.0  # seconds that the app has at the end of its test before it is killed
NOT_YET = (
    LookupError,
    TypeError,
    AttributeError,
    OSError,
    KitError,
)  # of a condition: what it looks at is not there yet
Word = str | os.PathLike[str]
Found = TypeVar("Found")


class RunningApp:
    """One run of an app file, with a port and a run folder of its own.

    Args:
        words: what stands behind `lightning run app`: the file, then options and `--` with the app's own arguments.
        folder: where its output and its run folder go.
        cwd: where it runs; the app file's folder if not given.
        env: variables beyond this process's own.
        patience: seconds that `wait_for` and `wait` wait unless told otherwise.

    Example:
        app = running_app("app.py", "--env", "STEPS=3")
        app.wait_for("training")                                    # was printed
        app.wait_for(lambda: app.state["root.train"]["loss"] < 0.5)
        assert app.wait() == 0
    """

    def __init__(
        self,
        *words: Word,
        folder: Word,
        cwd: Word | None = None,
        env: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        if not words:
            raise KitError("An app file has to be named: running_app('app.py').")
        self.file, self.patience = os.path.abspath(words[0]), patience
        self._mark = uuid.uuid4().hex
        self._folder = os.path.join(folder, self._mark)
        os.makedirs(self._folder)
        self._out, self._err = (os.path.join(self._folder, name) for name in ("stdout", "stderr"))
        own = ("--run-dir", os.path.join(self._folder, "runs"), "--open-ui", "false", "--port", "0")
        command = [
            sys.executable,
            "-m",
            "lightning_apps",
            "run",
            "app",
            *own,
            self.file,
            *(os.fspath(word) for word in words[1:]),
        ]
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd or os.path.dirname(self.file),
                env={**settings.environ(), **(env or {}), MARK: self._mark},
                start_new_session=True,
            )

    # -- what it says ------------------------------------------------------------------------------------

    @property
    def stdout(self) -> str:
        """What the flow and the works have printed so far."""
        return _text(self._out)

    @property
    def stderr(self) -> str:
        """What they, and the framework, have written there so far."""
        return _text(self._err)

    @property
    def output(self) -> str:
        """Both, stdout first."""
        return self.stdout + self.stderr

    @property
    def state(self) -> dict[str, dict[str, Any]]:
        """The state that was recorded last, as `lightning state` shows it: {"root": {…}, "root.train": {"loss": 0.3}}."""
        return past_of(self.run).values()

    @property
    def run(self) -> RunFolder:
        """The folder of its run.

        Raises:
            KitError: it has none yet.
        """
        base = os.path.join(self._folder, "runs")
        runs = all_runs(base)
        if not runs:
            raise KitError(f"{self.file} has no run yet.")
        return RunFolder(os.path.join(base, runs[-1]), self.file)

    @property
    def url(self) -> str:
        """Where it is served, once it is; waits for that."""
        path = self.wait_for(lambda: _existing(os.path.join(self.run.path, WEB_FILE)), what="to be served")
        with open(path, "rb") as file:
            entry = msgspec.json.decode(file.read())
        return f"http://{entry['host']}:{entry['port']}"

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that killed it."""
        return self.process.poll()

    # -- waiting -----------------------------------------------------------------------------------------

    def wait_for(
        self, condition: str | Callable[[], Found], timeout: float | None = None, *, what: str = ""
    ) -> Found | str:
        """Wait until a text was printed, or until a function returns something true, which is returned.

        Args:
            condition: the text, or the function; where it raises a LookupError or the like, what it looks at is not there yet.
            timeout: seconds.
            what: what is waited for, for the message.

        Raises:
            AssertionError: it did not become true in time, or the app ended without; shows what is known of the app.
        """
        look: Callable[[], Found | str] = condition if callable(condition) else lambda: self._printed(condition)
        what = what or (getattr(condition, "__name__", "") if callable(condition) else repr(condition))
        seconds = self.patience if timeout is None else timeout
        deadline, pause = time.monotonic() + seconds, 0.002
        while True:
            over = self.process.poll() is not None or time.monotonic() > deadline
            found, trouble = _looked(look)
            if found:
                return found
            if over:
                ended = "the app ended" if self.process.poll() is not None else f"{seconds:g} s passed"
                raise AssertionError(f"Waited for {what}; {ended} without.{trouble}\n{self.report()}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    def _printed(self, text: str) -> str:
        return text if text in self.output else ""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended.

        Raises:
            AssertionError: it has not after `timeout` seconds.
        """
        seconds = self.patience if timeout is None else timeout
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"The app still runs after {seconds:g} s.\n{self.report()}") from None

    # -- ending ------------------------------------------------------------------------------------------

    def signal(self, number: int) -> None:
        """Send it a signal, as `kill` does."""
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C: SIGINT to its whole foreground group, as a terminal sends it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def stop(self, timeout: float | None = None) -> int:
        """End it as SIGTERM does; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait(timeout)

    def end(self) -> list[int]:
        """Whatever is left of it ends now: SIGTERM, five seconds, SIGKILL to every process that it started.

        Returns:
            The processes that outlived the app's own end, which should be none.
        """
        if self.process.poll() is None:
            self.process.terminate()
            process_tree.wait_until(lambda: self.process.poll() is not None, GRACE)
        process_tree.wait_until(lambda: not self._living(), 0.5)
        left = self._living()
        while living := self._living():
            for pid in living:
                process_tree.send_signal(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.01)
        self.process.wait()
        return left

    def _living(self) -> list[int]:
        found = {each.pid for each in process_tree.carriers(MARK, self._mark)}
        if self.process.poll() is None:
            found |= {self.process.pid} | process_tree.descendants([self.process.pid])
        return sorted(found)

    def report(self) -> str:
        """Everything known of it, for the message of a failed test."""
        try:
            state = "".join(f"{name}: {values}\n" for name, values in self.state.items())
        except (LightningError, OSError, LookupError) as error:
            state = f"none ({error})\n"
        code = "it runs" if self.exit_code is None else f"exit code {self.exit_code}"
        return f"{self.file}: {code}\n--- state\n{state}--- stdout\n{self.stdout}--- stderr\n{self.stderr}"


def _looked(look: Callable[[], Found]) -> tuple[Found | None, str]:
    """What was found, and what was in the way."""
    try:
        return look(), ""
    except NOT_YET as error:
        return None, f" It raised {type(error).__name__}: {error}."


def _text(path: str) -> str:
    with open(path, errors="replace") as file:
        return file.read()


def _existing(path: str) -> str:
    return path if os.path.exists(path) else ""


__all__ = ["RunningApp"]
