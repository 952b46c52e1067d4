"""What works hand over moves between machines, and outlives the machine it was made on: on a real Ray cluster."""

from __future__ import annotations

import pytest

from conftest import CommandLine, eventually
from engines.distant.ray_cluster import RayCluster

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

APP = """
import hashlib, os
import lightning as L
from lightning.app.storage import Drive, Path, Payload

SIZE = 40 << 20

def digest(data):
    return hashlib.sha256(data).hexdigest()

class Writer(L.LightningWork):
    def __init__(self):
        super().__init__(cloud_compute=L.CloudCompute(cpus=2))
        self.path = self.payload = None
        self.drive = Drive("lit://shared", allow_duplicates=True)
        self.digest = self.where = ""

    def run(self):
        data = os.urandom(SIZE)
        self.digest, self.where = digest(data), os.environ["MACHINE"]
        with open("big.bin", "wb") as file:
            file.write(data)
        self.path = Path("big.bin")
        self.payload = Payload({"numbers": list(range(1000))})
        with open("note.txt", "w") as file:
            file.write("from " + self.where)
        self.drive.put("note.txt")

class Reader(L.LightningWork):
    def __init__(self):
        super().__init__(cloud_compute=L.CloudCompute(cpus=2))
        self.drive = Drive("lit://shared", allow_duplicates=True)
        self.said = self.where = ""

    def run(self, path, payload):
        self.where = os.environ["MACHINE"]
        with open(path, "rb") as file:
            seen = digest(file.read())
        self.drive.get("note.txt", overwrite=True)
        with open("note.txt") as file:
            self.said = f"{seen} {sum(payload.value['numbers'])} {file.read()}"

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.writer, self.reader = Writer(), Reader()

    def run(self):
        self.writer.run()
        print("written on", self.writer.where, flush=True)
        if os.path.exists(os.environ["GO"]):
            self.reader.run(self.writer.path, self.writer.payload)
            wanted = f"{self.writer.digest} {sum(range(1000))} from {self.writer.where}"
            print("elsewhere", self.reader.where != self.writer.where, "right", self.reader.said == wanted)
            self.stop()

app = L.LightningApp(Root(), tick=0.2)
"""


@pytest.mark.parametrize("off", [False, True], ids=["all machines on", "the writer's machine is off"])
def test_files_objects_and_drives_are_seen_on_another_machine(
    cluster: RayCluster, command_line: CommandLine, off: bool
) -> None:
    go = command_line.folder / "go"
    process = cluster.run(command_line, command_line.app(APP), env={"GO": str(go)})
    eventually(lambda: "written on" in process.stdout, 60.0, what=process.report)
    machine = int(process.stdout.split()[2].rpartition("m")[2])

    if off:
        cluster.lab[machine].off()
    go.touch()

    assert process.wait(60.0) == 0, process.report()
    assert "elsewhere True right True" in process.stdout, process.report()
    if off:
        cluster.reboot(machine)
        cluster.until(4)
