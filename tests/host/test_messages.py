"""What people see on their terminal when something goes wrong, takes long, or has nothing to do: real processes."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import time

import pytest

HEAD = """import sys, time, threading
import lightning as L

"""
FLOW = """
class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.train = Train()

    def run(self):
        {body}

app = L.LightningApp(Root())
"""


def app(command_line, text, body="self.train.run(lr=0.1)"):
    return command_line.app(HEAD + text + FLOW.format(body=body))


def test_a_failure_shows_the_users_frames_first_then_work_call_and_attempt(command_line):
    path = app(
        command_line,
        """
def deeper(lr):
    raise ValueError(f"{lr} is too low")

class Train(L.LightningWork):
    def run(self, lr):
        print("training")
        deeper(lr)
""",
    )
    ran = command_line.run("run", "app", path, "--without-server")

    assert ran.process.returncode == 1
    assert ran.stdout == "training\n"
    lines = ran.stderr.splitlines()
    frames = [line.strip() for line in lines if line.strip().startswith("File ")]
    assert lines[0] == "Traceback (most recent call last):"
    assert [re.sub(r'.*app.py", line \d+, in ', "", frame) for frame in frames] == ["run", "deeper"]
    assert lines[lines.index("ValueError: 0.1 is too low") + 1] == "root.train failed: run(lr=0.1), attempt 1."
    assert "lightning_apps" not in ran.stderr


def test_a_failure_is_told_once(command_line):
    path = app(
        command_line, "class Train(L.LightningWork):\n    def run(self, lr):\n        raise ValueError('boom')\n"
    )
    ran = command_line.run("run", "app", path)

    assert ran.stderr.count("ValueError: boom") == 1
    assert ran.stderr.count("root.train failed:") == 1


def test_causes_are_shown_without_our_frames(command_line):
    path = app(
        command_line,
        """
class Train(L.LightningWork):
    def run(self, lr):
        try:
            self.nothing = object()
        except Exception as error:
            raise RuntimeError("could not set it") from error
""",
    )
    ran = command_line.run("run", "app", path)

    assert "The above exception was the direct cause" in ran.stderr
    assert "RuntimeError: could not set it" in ran.stderr
    assert "site-packages" not in ran.stderr
    assert not re.search(r'File ".*lightning_apps', ran.stderr)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os; os._exit(4)", "The process of root.train ended with exit code 4."),
        ("import os; os.kill(os.getpid(), 9)", "The process of root.train was ended by SIGKILL (9) (out of memory?)."),
        ("import ctypes; ctypes.string_at(0)", "The process of root.train was ended by SIGSEGV (11)."),
    ],
)
def test_a_process_that_dies_is_told_with_its_code_or_signal(command_line, body, said):
    path = app(command_line, f"class Train(L.LightningWork):\n    def run(self, lr):\n        {body}\n")
    ran = command_line.run("run", "app", path)

    assert ran.process.returncode == 1
    lines = ran.stderr.splitlines()
    assert said in lines
    assert lines[lines.index(said) + 1] == "root.train failed: run(lr=0.1), attempt 1."


def test_a_flow_that_raises_is_named(command_line):
    path = app(command_line, "class Train(L.LightningWork):\n    def run(self, lr):\n        pass\n", "1 / 0")
    ran = command_line.run("run", "app", path, "--without-server")

    lines = ran.stderr.strip().splitlines()
    assert ran.process.returncode == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].strip().startswith('File "') and lines[1].endswith("in run")
    assert "ZeroDivisionError: division by zero" in lines
    assert lines[-1] == "The run of root (Root) failed: the app ends."
    assert "lightning_apps" not in ran.stderr


BAD = [
    ("self.train.undeclared = 1", "Cannot set attributes that were not defined in __init__: undeclared"),
    ("self.undeclared = 1", "undeclared"),
    ("self.train._port; self.n = threading.Lock()", "cannot keep"),
    ("self.train.run(threading.Lock())", "root.train.run("),
    ("self.train.run(lambda: 1)", "root.train.run("),
    ("Train().run(lr=1)", "Make sure to set this work as an attribute"),
    ("self.other = self.train", "already attached as 'root.train'"),
    ("self.schedule('every day')", "every day"),
]


@pytest.mark.parametrize(("body", "said"), BAD, ids=[body for body, _ in BAD])
def test_bad_use_gets_one_sentence_below_the_users_own_frames(command_line, body, said):
    text = "class Train(L.LightningWork):\n    def run(self, lr=0):\n        pass\n"
    path = command_line.app(
        HEAD + text + FLOW.format(body=body).replace("self.train = Train()", "self.train = Train()\n        self.n = 0")
    )
    ran = command_line.run("run", "app", path)

    assert ran.process.returncode == 1
    sentences = [line for line in ran.stderr.splitlines() if said in line and not line.startswith(" ")]
    assert len(sentences) == 1, ran.report()
    assert not re.search(r'File ".*lightning_apps', ran.stderr), ran.report()


def test_a_slow_turn_is_named_with_its_place(command_line):
    path = command_line.app(
        HEAD
        + """
class Root(L.LightningFlow):
    def run(self):
        time.sleep(0.6)
        self.stop()

app = L.LightningApp(Root())
"""
    )
    ran = command_line.run("run", "app", path, env={"LIGHTNING_SLOW_TURN": "0.3"})

    assert ran.process.returncode == 0
    assert re.search(r"root\.run took 0\.\d s, mostly at app\.py:7: what takes longer than", ran.stderr), ran.stderr


def test_a_flow_that_keeps_changing_itself_is_warned_once_with_attribute_and_line(command_line):
    path = command_line.app(
        HEAD
        + """
class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.counter = 0

    def run(self):
        self.counter += 1
        if self.counter == 250:
            self.stop()

app = L.LightningApp(Root())
"""
    )
    ran = command_line.run("run", "app", path)

    (warning,) = [line for line in ran.stderr.splitlines() if "times in a row" in line]
    assert "root.counter at app.py:11" in warning


IDLE = """
class Root(L.LightningFlow):
    def run(self):
        pass

app = L.LightningApp(Root())
"""
BEGAN = """def __init__(self):
        super().__init__()
        self.began = False

    """
WAITS = "has nothing to do and waits for changes"


def test_an_idle_app_says_so_on_a_terminal_once_and_at_its_end_how_to_go_on(command_line):
    path = command_line.app(HEAD + IDLE.replace("pass", "self.began = True").replace("def run", BEGAN + "def run"))
    ours, theirs = pty.openpty()
    script = 'exec "$0" -m lightning_apps run app "$1" 2> "$2"'
    process = command_line.execute(["sh", "-c", script, sys.executable, str(path), os.ttyname(theirs)])
    said = read_until(ours, b"Ctrl-C ends it.")
    process.interrupt()
    said += read_until(ours, b" --resume ")

    assert process.wait() == 130
    assert said.count(WAITS.encode()) == 1
    assert said.count(b"To go on from there: lightning run app ") == 1
    process.assert_nothing_left()
    os.close(theirs)
    os.close(ours)


def read_until(terminal: int, text: bytes, seconds: float = 20.0) -> bytes:
    """What arrives on a terminal up to this text."""
    said, end = b"", time.monotonic() + seconds
    while text not in said:
        assert select.select([terminal], [], [], end - time.monotonic())[0], said
        said += os.read(terminal, 65536)
    return said


def test_an_idle_app_says_nothing_when_piped(command_line):
    path = command_line.app(HEAD + IDLE.replace("pass", "print('idle', flush=True)"))
    process = command_line.start("run", "app", path)
    process.wait_for("idle")
    process.interrupt()

    assert process.wait() == 130
    assert WAITS not in process.stderr


def test_stdout_holds_only_what_the_app_printed(command_line):
    path = app(
        command_line,
        "class Train(L.LightningWork):\n    def run(self, lr):\n        print('from the work', flush=True)\n",
        "self.train.run(lr=1); print('from the flow'); self.stop('the message')",
    )
    ran = command_line.run("run", "app", path)

    assert sorted(ran.stdout.splitlines()) == ["from the flow", "from the work"]
    assert "the message" in ran.stderr
