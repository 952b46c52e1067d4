"""`breakpoint()` in the process of a work, which has no terminal."""

from __future__ import annotations

from typing import Any

import pytest

APP = """
import sys
import lightning as L

class Work(L.LightningWork):
    def run(self):
        breakpoint()

class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work = Work()

    def run(self):
        self.work.run()
        self.stop()

app = L.LightningApp(Flow())
"""


@pytest.mark.parametrize("method", ["zygote", "spawn"])
def test_a_breakpoint_says_where_it_works(command_line: Any, method: str) -> None:
    process = command_line.start("run", "app", command_line.app(APP), env={"LIGHTNING_START_METHOD": method})

    assert process.wait() == 1
    assert "--engine inline" in process.stderr
    assert "bdb" not in process.stderr.lower()


def test_pythonbreakpoint_has_the_last_word(command_line: Any) -> None:
    process = command_line.start("run", "app", command_line.app(APP), env={"PYTHONBREAKPOINT": "0"})

    assert process.wait() == 0, process.stderr


def test_a_hook_of_the_app_file_is_left_alone(command_line: Any) -> None:
    own = APP + "sys.breakpointhook = lambda: print('mine', flush=True)\n"
    process = command_line.start("run", "app", command_line.app(own))

    assert process.wait() == 0, process.stderr
    assert "mine" in process.stdout
