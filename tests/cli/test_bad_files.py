"""Files that give no app, run as people run them: one sentence on stderr, the right code, nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest

ROOT = """\
import lightning as L
class Root(L.LightningFlow):
    def run(self):
        self.stop()
"""
FILES = {
    "a syntax error": ("x = = 1\n", "has a syntax error in line 5"),
    "no app": ("", "does not contain a LightningApp"),
    "two apps": ("a = L.LightningApp(Root())\nb = L.LightningApp(Root())\n", "`a` and `b`"),
    "not an app": ("app = Root()\n", "of type Root, not a LightningApp"),
    "an exception": ("1 / 0\n", "ZeroDivisionError"),
    "no run": ("class W(L.LightningWork):\n    pass\napp = L.LightningApp(W())\n", "run()"),
    "state that cannot be kept": (
        "class B(Root):\n    def __init__(self):\n        super().__init__()\n        self.x = open\nB()\n",
        "app.py:8: self.x = open",
    ),
}


@pytest.mark.parametrize("engine", ["local", "inline"])
@pytest.mark.parametrize("what", FILES)
def test_a_file_with(what: str, engine: str, command_line: Any) -> None:
    text, told = FILES[what]
    path = command_line.app(ROOT + text)

    done = command_line.run("run", "app", path, "--engine", engine)

    assert done.process.returncode == 1
    assert "Error: " in done.stderr
    assert told in done.stderr
    assert "lightning_apps/" not in done.stderr, "a frame of the framework is shown"
    assert done.stdout == ""


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_a_file_that_exits_gives_its_own_code(engine: str, command_line: Any) -> None:
    path = command_line.app("import sys\nsys.exit(5)\n")

    assert command_line.run("run", "app", path, "--engine", engine).process.returncode == 5


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_a_file_that_rejects_its_arguments_says_so_itself(engine: str, command_line: Any) -> None:
    path = command_line.app("import argparse\nargparse.ArgumentParser().parse_args()\n")

    done = command_line.run("run", "app", path, "--engine", engine, "--", "--lr", "1")

    assert done.process.returncode == 2
    assert "usage: app.py" in done.stderr
    assert "unrecognized arguments: --lr 1" in done.stderr


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_an_app_gets_its_arguments_variables_and_secrets(engine: str, command_line: Any) -> None:
    path = command_line.app(
        "import os, sys\nimport lightning as L\nclass Root(L.LightningFlow):\n    def run(self):\n"
        "        print(sys.argv[1:], os.environ['A'], os.environ['B'])\n        self.stop()\n"
        "if __name__ == '__main__':\n    app = L.LightningApp(Root())\n"
    )

    words = ["--engine", engine, "--env", "A=x=y", "--secret", "B=NAME", "--", "--lr", "1"]
    done = command_line.run("run", "app", path, *words, env={"NAME": "hidden"})

    assert done.process.returncode == 0, done.report()
    assert done.stdout == "['--lr', '1'] x=y hidden\n"
    assert "hidden" not in done.stderr
