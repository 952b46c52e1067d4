"""The folder of a run: what is in it, who may read it, and which old ones go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import eventually
from lightning_apps.base import settings as all_settings
from lightning_apps.base.errors import UsageError
from lightning_apps.engines import process_tree
from lightning_apps.host import run_folder
from lightning_apps.host.run_folder import RunFolder

TIME = 1_700_000_000.0


def make(base: Path, number: int = 0, app: str = "") -> RunFolder:
    settings = all_settings.load({}, run_dir=str(base / "runs"))
    return run_folder.create(settings, app, ["lightning", "run"], TIME + number)


def test_a_new_run_has_its_parts_and_is_for_its_owner_only(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("print(1)")

    folder = make(tmp_path, app=str(app))

    assert sorted(os.listdir(folder.path)) == ["app.json", "files", "logs"]
    assert os.stat(folder.path).st_mode & 0o777 == 0o700
    assert folder.id.startswith("20231114T221320-")
    entry = json.loads(Path(folder.path, "app.json").read_text())
    assert (entry["command"], len(entry["sha256"])) == (["lightning", "run"], 64)
    assert (tmp_path / "runs" / ".gitignore").read_text() == "*\n"


def test_ended_runs_beyond_the_last_twenty_go(tmp_path: Path) -> None:
    for number in range(20 + 5):
        ended(make(tmp_path, number))

    left = sorted(name for name in os.listdir(tmp_path / "runs") if name != ".gitignore")
    assert len(left) == 20
    assert left[-1].startswith("20231114T221344-")


def test_a_run_whose_host_lives_stays(tmp_path: Path) -> None:
    living = make(tmp_path)
    living.write_host()

    for number in range(1, 20 + 5):
        ended(make(tmp_path, number))

    assert living.host_lives()
    assert os.path.isdir(living.path)


def test_a_host_that_has_ended_does_not_live(tmp_path: Path) -> None:
    folder = make(tmp_path)

    ended(folder)

    assert not folder.host_lives()


def test_a_later_process_of_the_same_number_is_not_the_host(tmp_path: Path) -> None:
    folder = make(tmp_path)
    folder.write_host()
    path = Path(folder.path, "host.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "started": "1"}))

    assert not folder.host_lives()


def test_a_host_that_nobody_reaps_does_not_live(tmp_path: Path) -> None:
    folder = make(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = process_tree.look(process.pid)
    assert found is not None
    entry = run_folder.HostEntry(process.pid, found.started, run_folder.boot_id(), os.uname().nodename)
    run_folder.write_json(os.path.join(folder.path, "host.json"), entry)
    assert folder.host_lives()

    process.kill()

    eventually(lambda: not folder.host_lives())
    assert process_tree.look(process.pid) is not None  # it is a zombie
    process.communicate()


def test_a_second_host_is_refused_and_does_not_take_the_firsts_name(tmp_path: Path) -> None:
    folder = make(tmp_path)
    second = f"from lightning_apps.host.run_folder import RunFolder; RunFolder({folder.path!r}).write_host()"
    folder.write_host()

    refused = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True, check=False)

    assert f"The run {folder.id} is still going on (process {os.getpid()} on " in refused.stderr
    entry = folder.entry()
    assert entry is not None and entry.pid == os.getpid()
    folder.unlock()
    subprocess.run([sys.executable, "-c", second], check=True)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")

    with pytest.raises(UsageError, match="--run-dir"):
        make(tmp_path)


def ended(folder: RunFolder) -> None:
    """Let a process that has ended be its host."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    entry = run_folder.HostEntry(process.pid, "0", run_folder.boot_id(), os.uname().nodename)
    run_folder.write_json(os.path.join(folder.path, "host.json"), entry)


def test_runs_of_the_same_second_come_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    made = [make(tmp_path) for _ in range(12)]
    for number, folder in enumerate(made):
        os.utime(os.path.join(folder.path, "app.json"), ns=(0, number))
    made.insert(0, make(tmp_path, -1))

    assert run_folder.all_runs(str(tmp_path / "runs")) == [folder.id for folder in made]
