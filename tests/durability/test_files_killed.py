"""Processes are killed while files travel, or are put and deleted: whoever goes on has the right bytes, and nothing half is seen."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import CommandLine, eventually
from lightning_apps.storage import local
from lightning_apps.storage.drive import Drive

APP = """
import hashlib, os, random
import lightning as L
from lightning.app.storage import Drive, Path

SIZE = 192 << 20

class Make(L.LightningWork):
    def __init__(self):
        super().__init__()
        self.out, self.drive = Path("out"), Drive("lit://d")

    def run(self):
        print("made", os.getpid())
        with open("out", "wb") as file:
            file.truncate(SIZE)
            for at in range(0, SIZE, 1 << 20):
                file.seek(at)
                file.write(random.Random(at).randbytes(64))
        self.drive.put("out")

class Use(L.LightningWork):
    def run(self, out, drive):
        print("used", os.getpid())
        same = digest(out)
        os.makedirs("got", exist_ok=True)
        drive = Drive(drive.id, root_folder="got")
        drive.get("out")
        print("same", same == digest("out") == digest("got/out"))

def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.md5(file.read()).hexdigest()

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.make, self.use = Make(), Use()

    def run(self):
        self.make.run()
        if os.path.exists("out") and not os.path.exists("out-of-the-way"):
            os.rename("out", "out-of-the-way")
        self.use.run(self.make.out, self.make.drive)
        self.stop()

app = L.LightningApp(Root())
"""
UNDER_WAY = {
    "put into the drive": "runs/*/files/arriving/*/incoming/*.done",
    "handed over": "runs/*/files/objects/incoming/*.done",
    "fetched": "runs/*/apart/root.use*/objects/incoming/*.done",
    "taken from the drive": "got/.part-*/objects/incoming/*.done",
}


@pytest.mark.slow
def test_a_host_killed_in_the_middle_of_each_transfer(command_line: CommandLine) -> None:
    folder = command_line.folder
    process = command_line.start(
        "run", "app", command_line.app(APP), "--run-dir", folder / "runs", "--open-ui", "false", cwd=folder,
        env={"LIGHTNING_APART": "1"},
    )  # fmt: skip
    killed = set[int]()

    for pattern in UNDER_WAY.values():
        eventually(lambda p=pattern: begun(folder, p) or process.process.poll() is not None, 30, what=process.report)
        killed.add(host := host_of(folder))
        os.kill(host, signal.SIGKILL)
        eventually(lambda host=host: host_of(folder) != host, 30, what=process.report)

    assert process.wait(60) == 0, process.report()
    process.assert_nothing_left(5.0)
    said = [line.split() for line in process.stdout.splitlines() if line.startswith(("made", "used", "same"))]
    assert len(killed) == 4 and [word for word, _ in said] == ["made", "used", "same"], process.report()
    assert said[-1] == ["same", "True"]
    assert not [path for pattern in UNDER_WAY.values() for path in folder.glob(pattern.replace("*.done", "*"))]


def begun(folder: Path, pattern: str) -> bool:
    """Looks hard for a while: it does not take long."""
    return any(path.stat().st_size for _ in range(100) for path in folder.glob(pattern))


def host_of(folder: Path) -> int:
    (entry,) = folder.glob("runs/*/host.json")
    return int(json.loads(entry.read_bytes())["pid"])


WRITER = """
from lightning_apps.storage.drive import Drive
drive = Drive("lit://d", component_name="root.a", root_folder={folder!r})
drive.put("out")
print("begins", flush=True)
while True:
    drive.put("out")
    drive.put("out")
    drive.put("out")
    drive.delete("out")
"""


@pytest.mark.slow
def test_a_work_killed_while_it_puts_and_deletes_leaves_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, shared = random.Random(6), tmp_path / "shared"
    monkeypatch.setenv("SHARED_MOUNT_DIRECTORY", str(shared))
    (tmp_path / "own" / "out" / "deep").mkdir(parents=True)
    for number in range(100):
        (tmp_path / "own" / "out" / "deep" / str(number)).write_bytes(bytes([number]) * 1000)
    reader, seen = Drive("lit://d", component_name="root.b", root_folder=tmp_path / "reader"), 0

    for turn in range(40):
        if turn > 7 and seen:
            break
        text = WRITER.format(folder=str(tmp_path / "own"))
        writer = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)
        assert writer.stdout is not None and writer.stdout.readline() == b"begins\n"
        time.sleep(rng.random() * 0.05)  # any moment
        writer.kill()
        writer.wait()
        if there := reader.list():
            assert there == ["out"]
            reader.get("out", overwrite=True)
            assert len(list((tmp_path / "reader" / "out" / "deep").iterdir())) == 100
            seen += 1

    assert seen
    left = [path for path in shared.rglob("*") if local.is_part(path.name)]
    for path in left:
        os.utime(path, (0, 0))
    local.tidy(str(shared))
    assert left and not [path for path in shared.rglob("*") if local.is_part(path.name)]
