"""What a worker in a fresh interpreter executes, when the app was not started by our command."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from pathlib import Path

import pytest

from lightning_apps.host.loader import loaded_app
from lightning_apps.host.main_file import app_file, is_program, surroundings

SCRIPTS = sysconfig.get_paths()["scripts"]


@pytest.mark.parametrize(
    "path",
    [pytest.__file__, os.path.join(SCRIPTS, "pytest"), threading.__file__],
    ids=["module of a package", "console script", "standard library"],
)
def test_installed_programs_are_no_apps(path: str) -> None:
    assert is_program(path)


def test_a_script_of_the_users_is_one(tmp_path: Path) -> None:
    assert not is_program(str(tmp_path / "app.py"))
    assert not is_program("app.py")


def test_this_test_runner_is_not_executed_again_by_a_worker() -> None:
    assert app_file() == ""
    assert surroundings("")["PYTHONPATH"].split(os.pathsep) == [each for each in sys.path if each]
    assert surroundings("app.py") == {}


def test_a_file_that_was_loaded_as_an_app_is_one_wherever_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "site-packages" / "app.py"
    path.parent.mkdir()
    path.write_text(
        "import lightning as L\nclass Root(L.LightningFlow):\n    def run(self): ...\napp = L.LightningApp(Root())"
    )

    with loaded_app(str(path)):
        assert app_file() == str(path)
    assert app_file() == ""
