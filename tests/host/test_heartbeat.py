"""A run whose host is, or was, on another machine: seen, not taken away from it, and taken up when it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lightning_apps.base.errors import RunError
from lightning_apps.host import heartbeat
from lightning_apps.host.heartbeat import SILENT, Heartbeat
from lightning_apps.host.run_folder import RunFolder, this_process, write_json


def a_run(path: Path, age: float, machine: str = "elsewhere") -> RunFolder:
    """A run whose host was heard so many seconds ago."""
    entry = path / "host.json"
    write_json(str(entry), msgspec.structs.replace(this_process(), machine=machine))
    touched = entry.stat().st_mtime - age
    os.utime(entry, (touched, touched))
    return RunFolder(str(path))


def test_a_host_elsewhere_that_was_heard_lately_lives_and_is_left_alone(tmp_path: Path) -> None:
    run = a_run(tmp_path, 5.0)

    assert run.host_lives()
    with pytest.raises(RunError, match=r"goes on on the machine elsewhere, heard 5 s ago: stop it there, or try again"):
        run.lock()


def test_a_host_elsewhere_that_was_not_heard_for_long_is_gone_and_its_run_can_be_taken_up(tmp_path: Path) -> None:
    run = a_run(tmp_path, SILENT + 1)

    assert not run.host_lives()
    run.lock()
    run.unlock()


def test_a_host_elsewhere_that_holds_its_lock_lives_however_silent_and_the_way_out_is_said(tmp_path: Path) -> None:
    run = a_run(tmp_path, 500.0)
    hold = "import fcntl, sys; f = open(sys.argv[1], 'a+'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"

    try:
        assert run.host_lives()
        with pytest.raises(RunError, match=r"not heard for 500 s: stop it there, or, .* remove the file .*lock"):
            run.lock()
    finally:
        holder.communicate(b"\n")
    assert not run.host_lives()


def test_a_host_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    run = a_run(tmp_path, 0.0)
    beats = Heartbeat(run.path, lambda name, seconds, callback: None)
    beats.begin()
    before = run.host_lives()

    beats.end()

    assert before and not run.host_lives() and heartbeat.age(run.path) == heartbeat.EVER


def test_a_host_touches_its_file_again_and_again(tmp_path: Path) -> None:
    run = a_run(tmp_path, 40.0)
    alarms: list[float | None] = []

    Heartbeat(run.path, lambda name, seconds, callback: alarms.append(seconds)).begin()

    assert heartbeat.age(run.path) < 5.0 and alarms == [heartbeat.BEAT]


def test_a_host_whose_run_was_taken_over_meanwhile_ends_at_once_and_ends_nothing_else(tmp_path: Path) -> None:
    run = a_run(tmp_path, 0.0)
    code = (
        "import os, sys; from lightning_apps.host.heartbeat import Heartbeat; path = sys.argv[1];"
        "beats = Heartbeat(path, lambda *words: None); beats.begin(); other = os.path.join(path, 'other');"
        "file = open(other, 'w'); file.write('{}'); file.close(); os.replace(other, os.path.join(path, 'host.json')); beats.begin()"
    )

    assert subprocess.run([sys.executable, "-c", code, run.path], check=False).returncode == -9
