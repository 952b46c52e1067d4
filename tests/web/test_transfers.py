"""A transfer of over a second is seen while it goes on: in lines on the terminal, and on the stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import CommandLine
from web.test_stream import stream

APP = """
import os, time
import fsspec
from fsspec.implementations.local import LocalFileSystem
import lightning as L
from lightning.app.storage import Path

STEP, GO = 1 << 20, os.path.abspath("go")

class Slow(LocalFileSystem):
    protocol = "slow"

    def put_file(self, source, target, callback=None, **options):
        \"\"\"A network that takes a mebibyte in a third of a second.\"\"\"
        with open(source, "rb") as file, open(target, "wb") as copy:
            while data := file.read(STEP):
                time.sleep(0.3)
                copy.write(data)
                callback.relative_update(len(data))

fsspec.register_implementation("slow", Slow)

class Make(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.out = Path("big out")

    def run(self):
        while not os.path.exists(GO):
            time.sleep(0.01)
        with open("big out", "wb") as file:
            file.write(os.urandom(8 * STEP))

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.make = Make()

    def run(self):
        self.make.run()
        if self.make.has_succeeded:
            self.stop()

app = L.LightningApp(Root())
"""


@pytest.mark.slow
def test_a_slow_transfer_is_seen_on_the_terminal_and_on_the_stream(
    serve: Any, command_line: CommandLine, tmp_path: Path
) -> None:
    pytest.importorskip("fsspec")
    app, told = serve(APP, "--storage", f"slow://{tmp_path}/there"), list[Any]()

    with stream(app) as socket:
        socket.recv()
        (command_line.folder / "go").touch()
        while not told or not told[-1]["over"]:
            changes = json.loads(socket.recv(timeout=20)).get("changes", ())
            told += [each["value"] for each in changes if each["op"] == "transfer"]
            assert all(each["component"] == "root.make" for each in changes if each["op"] == "transfer")
    assert app.process.wait() == 0

    first, last = told[0], told[-1]
    assert (first["doing"], first["what"], first["size"]) == ("sending", "big out", 8 << 20) and not first["over"]
    assert 0 < first["done"] < last["done"] == 8 << 20 and 1.0 <= first["seconds"] < last["seconds"]
    lines = [line for line in app.process.stderr.splitlines() if "sending big out" in line]
    assert any(" MiB of 8.0 MiB, " in line and "MiB/s, " in line and line.endswith("s left") for line in lines)
    assert " 8.0 MiB in " in lines[-1] and lines[-1].endswith("/s")
    assert [path.stat().st_size for path in (tmp_path / "there").rglob("b*-*")] == [8 << 20]
