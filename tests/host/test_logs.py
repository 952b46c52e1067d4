"""What workers print reaches the terminal whole, in order and completely."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import CommandLine
from lightning_apps.base import settings as all_settings
from lightning_apps.host import follow
from lightning_apps.host.follow import Follower


class Scene:
    """A follower between files of a folder and two pipes."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder = folder
        self.reads, writes = zip(os.pipe(), os.pipe(), strict=True)
        self.follower = Follower(str(folder), all_settings.load({}, **more), *writes)
        self.files = [str(folder / "root.a.out"), str(folder / "root.a.err")]
        self.follower.follow("root.a", *self.files)

    def write(self, data: bytes, stream: int = 0) -> None:
        with open(self.files[stream], "ab") as file:
            file.write(data)
        self.follower.notice()
        self.follower.pump()

    def read(self, stream: int = 0) -> bytes:
        os.set_blocking(self.reads[stream], False)
        try:
            return os.read(self.reads[stream], 1 << 20)
        except BlockingIOError:
            return b""


@pytest.mark.parametrize("watch", ["inotify", "poll"])
def test_lines_are_passed_on_whole_and_untouched_into_a_pipe(tmp_path: Path, watch: str) -> None:
    scene = Scene(tmp_path, watch=watch)

    scene.write(b"half")
    assert scene.read() == b""

    scene.write(b" a line\r\rprogress\nnext")
    assert scene.read() == b"half a line\r\rprogress\n"


def test_stdout_and_stderr_stay_apart(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    scene.write(b"good\n", 0)
    scene.write(b"bad\n", 1)

    assert (scene.read(0), scene.read(1)) == (b"good\n", b"bad\n")


def test_a_last_line_without_an_end_is_written_when_its_work_has_ended(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.write(b"last words")

    scene.follower.finish(*scene.files)
    scene.follower.pump()

    assert scene.read() == b"last words\n"


def test_prefixes_name_the_work_where_they_are_wanted(tmp_path: Path) -> None:
    scene = Scene(tmp_path, log_prefix="always")

    scene.write(b"one\ntwo\n")

    assert scene.read() == b"[a] one\n[a] two\n"


def test_json_lines_say_which_work_and_stream(tmp_path: Path) -> None:
    scene = Scene(tmp_path, log_format="json")

    scene.write(b'say "hi"\n', 1)

    entry = json.loads(scene.read(1))
    assert (entry.pop("time") > 0, entry) == (True, {"work": "root.a", "stream": "err", "line": 'say "hi"'})


def test_progress_is_its_last_piece_on_a_terminal(tmp_path: Path) -> None:
    parent, child = pty.openpty()
    follower = Follower(str(tmp_path), all_settings.load({}), child, child)
    out = str(tmp_path / "root.a.out")
    follower.follow("root.a", out, "")

    Path(out).write_bytes(b"10 %\r50 %\r100 %\r\n")
    follower.pump(everything=True)

    assert os.read(parent, 4096).rstrip().endswith(b" 100 %")


def test_a_reader_that_does_not_read_blocks_nobody_and_loses_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    lines = b"".join(b"%09d\n" % number for number in range(300_000))

    scene.write(lines)
    scene.follower.pump()
    assert scene.follower.waiting

    read = b""
    while scene.follower.waiting:
        read += scene.read()
        scene.follower.pump()
    assert read + scene.read() == lines


def test_a_reader_that_has_gone_ends_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    os.close(scene.reads[0])

    scene.write(b"to nobody\n")

    assert not scene.follower.waiting


def test_what_was_read_long_ago_gives_its_room_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "KEPT", 1 << 20)
    monkeypatch.setattr(follow, "STEP", 1 << 20)
    scene = Scene(tmp_path, log_format="json")
    line = b"x" * 1023 + b"\n"

    for _ in range(8):
        scene.write(line * 1024)
        while scene.follower.waiting:
            scene.read()
            scene.follower.pump()

    found = os.stat(scene.files[0])
    assert found.st_size == 8 << 20
    assert found.st_blocks * 512 < 4 << 20


@pytest.mark.parametrize("more", [{}, {"portable": True}], ids=["linux", "portable"])
def test_a_hundred_thousand_lines_arrive_before_the_app_has_ended(stage: Any, more: dict[str, bool]) -> None:
    works = {name: f"for i in range(50000): print('{name}', i)\nprint('end', end='')" for name in ("a", "b")}
    process = stage.app("desk.start('a', 'b')\ndesk.ended('a')\ndesk.ended('b')", works=works, **more)

    assert process.wait(60) == 0
    lines = process.stdout.splitlines()
    for name in ("a", "b"):
        assert [line for line in lines if line.startswith(name)] == [f"{name} {i}" for i in range(50000)]
    assert lines.count("end") == 2


def test_a_flow_writes_whole_lines_also_where_python_is_told_not_to_buffer(command_line: CommandLine) -> None:
    app = command_line.app(
        "import lightning as L\n"
        "class Root(L.LightningFlow):\n"
        "    def run(self):\n"
        "        print('half', 'and half')\n"
        "        self.stop()\n"
        "app = L.LightningApp(Root())\n"
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # where each write stays a piece of its own
    with ours, theirs:
        command = [sys.executable, "-m", "lightning_apps", "run", "app", str(app), "--open-ui", "false"]
        environ = {**command_line.environ(), "PYTHONUNBUFFERED": "1"}
        subprocess.run(command, stdout=theirs, cwd=command_line.folder, env=environ, check=True, timeout=60)
        theirs.close()
        ours.setblocking(False)
        pieces = []
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while piece := ours.recv(1 << 16):
                pieces.append(piece)

    assert b"half and half\n" in pieces
