"""What a run was made of: modules, packages, git's word."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_apps.base.settings import Settings
from lightning_apps.host import run_folder
from lightning_apps.host.provenance import Provenance, hashes, packages


def collected(tmp_path: Path, app: Path) -> tuple[dict[str, Any], Path]:
    folder = run_folder.create(Settings(run_dir=str(tmp_path / "runs")), str(app))
    Provenance(folder, 1).finish(20.0)
    return json.loads(Path(folder.path, "code.json").read_text()), Path(folder.path)


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    path = tmp_path / "code" / "app.py"
    path.write_text("x = 1\n")
    return path


def test_interpreter_packages_and_the_apps_file_are_kept(tmp_path: Path, app: Path) -> None:
    found, _ = collected(tmp_path, app)

    assert found["python"] == sys.version.split()[0]
    assert found["packages"]["msgspec"] == msgspec.__version__
    assert found["modules"] == {"app.py": hashlib.sha256(app.read_bytes()).hexdigest()}


def test_modules_beside_the_app_are_its_own_and_installed_ones_are_not(app: Path) -> None:
    beside = app.parent / "model.py"
    beside.write_text("y = 2\n")
    installed = app.parent / "env" / "site-packages" / "z.py"
    installed.parent.mkdir(parents=True)
    installed.write_text("")

    found = hashes(str(app), {"model": str(beside), "z": str(installed), "os": os.__file__})

    assert sorted(found) == ["app.py", "model.py"]


def test_packages_are_those_that_are_installed() -> None:
    from importlib.metadata import distributions

    known = {d.metadata["Name"].lower().replace("_", "-").replace(".", "-"): d.version for d in distributions()}

    found = {name.replace(".", "-"): version for name, version in packages(sys.path).items()}

    assert found == known


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
class TestGit:
    def test_outside_of_a_repository_nothing_is_said(self, tmp_path: Path, app: Path) -> None:
        assert collected(tmp_path, app)[0]["git"] is None

    def test_the_commit_is_kept(self, tmp_path: Path, app: Path) -> None:
        self.commit(app)

        found, path = collected(tmp_path, app)

        assert found["git"] == {"commit": git(app.parent, "rev-parse", "HEAD"), "dirty": False}
        assert not (path / "diff.patch").exists()

    def test_uncommitted_changes_are_kept_as_a_patch(self, tmp_path: Path, app: Path) -> None:
        self.commit(app)
        app.write_text("x = 2\n")

        found, path = collected(tmp_path, app)

        patch = (path / "diff.patch").read_bytes()
        assert b"-x = 1\n+x = 2\n" in patch
        assert found["git"]["dirty"]
        assert found["git"]["diff"]["sha256"] == hashlib.sha256(patch).hexdigest()

    @staticmethod
    def commit(app: Path) -> None:
        git(app.parent, "init", "-q")
        git(app.parent, "add", "app.py")
        git(app.parent, "commit", "-qm", "first")


def test_what_an_earlier_host_found_stays(tmp_path: Path, app: Path) -> None:
    folder = run_folder.create(Settings(run_dir=str(tmp_path / "runs")), str(app))
    Provenance(folder, 1).finish(20.0)
    app.write_text("x = 3\n")
    Provenance(folder, 2).finish(20.0)

    former, now = (json.loads(Path(folder.path, name).read_text()) for name in ("code-1.json", "code.json"))

    assert (former["host"], now["host"]) == (1, 2)
    assert former["modules"] != now["modules"]
