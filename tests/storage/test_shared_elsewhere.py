"""What works share by name, between machines that share no disk: whole or not at all, never a wrong byte, whoever dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_apps.base.errors import OutsideFolder, StorageError, Unreachable
from lightning_apps.base.registry import registry
from lightning_apps.storage import local
from lightning_apps.storage.asking import Asking
from lightning_apps.storage.drive import Drive
from lightning_apps.storage.fetching import PIECE
from lightning_apps.storage.offers import Offers
from storage.machines import TOKEN, RunsOwn, elsewhere, two_machines


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunsOwn]:
    with two_machines(tmp_path) as made:
        yield made


def drive(tmp_path: Path, name: str) -> Drive:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return Drive("lit://d", component_name=f"root.{name}", root_folder=folder)


def test_large_files_and_folders_arrive_whole_and_nothing_of_the_way_is_left(run: RunsOwn, tmp_path: Path) -> None:
    a, b = drive(tmp_path, "a"), drive(tmp_path, "b")
    big, small = os.urandom(2 * PIECE + 17), {f"f{number}": os.urandom(number) for number in range(200)}
    (tmp_path / "a" / "big").write_bytes(big)
    (tmp_path / "a" / "big").chmod(0o754)
    (tmp_path / "a" / "many" / "deep").mkdir(parents=True)
    for name, data in small.items():
        (tmp_path / "a" / "many" / "deep" / name).write_bytes(data)

    a.put("big")
    a.put("many")
    b.get("big")
    b.get("many")

    assert (tmp_path / "b" / "big").read_bytes() == big and (tmp_path / "b" / "big").stat().st_mode & 0o777 == 0o754
    found = tmp_path / "b" / "many" / "deep"
    assert {path.name: path.read_bytes() for path in found.iterdir()} == small
    assert (run.root / "artifacts" / "drive" / "d" / "root.a" / "big").read_bytes() == big
    left = [path for path in run.arriving.rglob("*") if path.suffix != ".lock" and path.name != "offered"]
    assert not left and not [path for path in tmp_path.rglob("*") if local.is_part(path.name)]


def test_nobody_gets_out_of_the_shared_folder_by_a_name(run: RunsOwn) -> None:
    ask = Asking(run.address, TOKEN).ask
    for question in (
        ["drive", "..", "components"],
        ["drive", "a/b", "components"],
        ["drive", "", "components"],
        ["drive", "d", "has", "../..", "secret"],
        ["drive", "d", "list", "..", "."],
        ["drive", "d", "delete", "root.a", "../../x"],
        ["files", "", "list", "../.."],
        ["files", "", "remove", "../x"],
        ["files", "", "fill", "x"],
        ["drive", "d", "__init__"],
    ):
        with pytest.raises(StorageError):
            ask(*question)
    with pytest.raises(OutsideFolder):
        ask("files", "", "kind", "../x")


def test_what_is_put_while_another_host_takes_over_is_there_all_the_same(tmp_path: Path) -> None:
    first = RunsOwn(tmp_path / "run")
    port = int(first.address.rpartition(":")[2])
    registry.shared, own = elsewhere(tmp_path / "worker", first.address)
    data = os.urandom(6 * PIECE)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(data)
    partly = threading.Event()
    own._sent = lambda count: partly.set() if count else None
    putting = threading.Thread(target=lambda: drive(tmp_path, "a").put("x"))
    try:
        putting.start()
        assert partly.wait(20)
        first.close()
        second = RunsOwn(tmp_path / "run", port)
        putting.join(30)
        drive(tmp_path, "b").get("x")
        second.close()
    finally:
        registry.shared = None
        own.close()

    assert (tmp_path / "b" / "x").read_bytes() == data


def test_an_exchange_that_does_not_come_back_is_named(tmp_path: Path) -> None:
    run = RunsOwn(tmp_path / "run")
    run.close()
    said: list[str] = []
    now = [0.0]

    def later(seconds: float) -> None:
        now[0] += seconds

    asking = Asking(run.address, TOKEN, 20.0, sleep=later, clock=lambda: now[0], say=said.append)

    with pytest.raises(Unreachable, match=rf"exchange at {run.address} has not answered for 2\d s: .*refused"):
        asking.ask("files", "", "kind", ".")
    assert len(said) == 1 and "trying for 20 s" in said[0]


def test_what_nobody_comes_back_for_is_withdrawn_and_a_file_that_changed_is_not_handed_out(tmp_path: Path) -> None:
    now = [0.0]
    offers = Offers(str(tmp_path / "offered"), lease=10.0, clock=lambda: now[0])
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("x")
    (tmp_path / "file").write_text("file")
    _, tree = offers.offer(str(tmp_path / "folder"))
    _, file = offers.offer(str(tmp_path / "file"))
    assert offers.find(tree.content) and offers.find(file.content) == str(tmp_path / "file")

    (tmp_path / "file").write_text("other")
    assert offers.find(file.content) is None
    now[0] = 9.0
    assert offers.find(tree.content)
    now[0] = 18.0
    _, again = offers.offer(str(tmp_path / "file"))
    assert offers.find(tree.content) and offers.find(again.content)
    now[0] = 40.0
    offers.offer(str(tmp_path / "file"))

    assert offers.find(tree.content) is None and not list((tmp_path / "offered").iterdir())


def test_what_is_written_to_all_the_time_is_not_put_half(run: RunsOwn, tmp_path: Path) -> None:
    a = drive(tmp_path, "a")
    path = tmp_path / "a" / "x"
    path.write_bytes(os.urandom(PIECE))
    stop = threading.Event()

    def scribble() -> None:
        while not stop.wait(0.001):
            with path.open("r+b") as file:
                file.write(os.urandom(64))

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        with pytest.raises(StorageError, match="written to"):
            a.put("x")
    finally:
        stop.set()
        thread.join()
    assert a.list() == []
    a.put("x")
    assert (run.root / "artifacts/drive/d/root.a/x").read_bytes() == path.read_bytes()


HOST = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from storage.machines import RunsOwn
run = RunsOwn(Path({run!r}), {port})
print(run.address, flush=True)
sys.stdin.read()
"""
WORKER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from lightning_apps.base.registry import registry
from lightning_apps.storage.drive import Drive
from storage.machines import elsewhere
registry.shared, own = elsewhere(Path({folder!r}) / "own", {address!r})
drive = Drive("lit://d", component_name="root.a", root_folder={folder!r})
{do}
"""
TESTS = str(Path(__file__).parents[1])


@pytest.mark.slow
def test_whoever_is_killed_at_any_moment_the_drive_holds_one_version_or_the_other(
    tmp_path: Path, eventually: object
) -> None:
    """Two versions of a file and a folder, put in turn by a process that is killed; the host is killed now and then, too."""
    rng = random.Random(6)
    versions = [bytes([number]) * (3 * PIECE + number) for number in (1, 2)]
    for number, data in enumerate(versions):
        (tmp_path / f"w{number}" / "out").mkdir(parents=True)
        for name in ("x", "out/0", "out/1"):
            (tmp_path / f"w{number}" / name).write_bytes(data)
    host, port = host_at(tmp_path, 0)
    reader, own = elsewhere(tmp_path / "reader", f"127.0.0.1:{port}")
    seen = set()
    try:
        for turn in range(9):
            writer = worker(tmp_path / f"w{turn % 2}", port, "drive.put('x'); drive.put('out'); drive.delete('out')")
            time.sleep(0.15 + rng.random() * 0.3)  # any moment of all that it does
            if turn % 3 == 2:
                host.kill()
                host.wait()
                host, port = host_at(tmp_path, port)
            writer.send_signal(signal.SIGKILL) if turn < 8 else None
            assert writer.wait(60) in (0, -signal.SIGKILL)
            seen.add(looked_at(reader, tmp_path, versions))
    finally:
        host.kill()
        host.wait()
        own.close()
    assert seen - {-1}
    assert looked_at_end(tmp_path) == versions[0]


def host_at(tmp_path: Path, port: int) -> tuple[subprocess.Popen[str], int]:
    text = HOST.format(tests=TESTS, run=str(tmp_path / "run"), port=port)
    made = subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None
    return made, int(made.stdout.readline().rpartition(":")[2])


def worker(folder: Path, port: int, do: str) -> subprocess.Popen[bytes]:
    text = WORKER.format(tests=TESTS, folder=str(folder), address=f"127.0.0.1:{port}", do=do)
    return subprocess.Popen([sys.executable, "-c", text])


def looked_at(reader: object, tmp_path: Path, versions: list[bytes]) -> int:
    """Which version is there; all that is there is whole."""
    registry.shared = reader  # type: ignore[assignment]
    try:
        there = Drive("lit://d", root_folder=tmp_path / "reader")
        names = set(there.list())
        assert names <= {"x", "out"}
        for name in names:
            there.get(name, overwrite=True)
        if "out" in names:
            files = {path.name: path.read_bytes() for path in (tmp_path / "reader" / "out").iterdir()}
            assert set(files) == {"0", "1"} and files["0"] == files["1"] and files["0"] in versions
        return versions.index((tmp_path / "reader" / "x").read_bytes()) if "x" in names else -1
    finally:
        registry.shared = None


def looked_at_end(tmp_path: Path) -> bytes:
    return (tmp_path / "run/shared/artifacts/drive/d/root.a/x").read_bytes()
