"""Drives in a bucket, over HTTP against a server of S3's protocol; and what happens when it does not answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.base.errors import MissingExtra, StorageError, Unreachable
from lightning_apps.storage.drive import Drive
from lightning_apps.storage.remote import RemoteShelf, connect, patiently

pytest.importorskip("fsspec")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of a fresh bucket; its server runs in a thread of this process."""
    server_module = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    patch = pytest.MonkeyPatch()
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "testing")
    files, _ = connect("s3://bucket")
    files.mkdir("bucket")
    yield "s3://bucket/drives"
    server.stop()
    patch.undo()


@pytest.mark.slow
def test_a_drive_in_a_bucket_keeps_the_promises_of_drives(bucket: str, tmp_path: Path) -> None:
    a = Drive(bucket, component_name="root.a", root_folder=tmp_path / "a")
    b = Drive(bucket, component_name="root.b", root_folder=tmp_path / "b")
    for name, text in (("one", "1"), ("out/x y", "2"), ("out/deep/ü", "3"), ("big", "z" * (12 << 20))):
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_text(text)

    for name in ("one", "out", "big"):
        a.put(name)
    for name in ("one", "out", "big"):
        b.get(name)

    assert (tmp_path / "b" / "out" / "deep" / "ü").read_text() == "3" and (
        tmp_path / "b" / "out" / "x y"
    ).read_text() == "2"
    assert (tmp_path / "b" / "big").stat().st_size == 12 << 20
    assert sorted(b.list()) == ["big", "one", "out"] and sorted(b.list("out")) == ["out/deep", "out/x y"]
    with pytest.raises(FileExistsError, match=r"where root\.a has put it"):
        b.put("one")
    with pytest.raises(FileNotFoundError):
        b.get("none")
    a.delete("out")
    assert sorted(b.list()) == ["big", "one"]


def test_a_store_that_does_not_answer_is_tried_again_with_growing_pauses_then_named_with_the_reason() -> None:
    pauses: list[float] = []

    def fail() -> None:
        raise ConnectionResetError("reset")

    with pytest.raises(Unreachable, match=r"Listing s3://b failed 5 times, last with ConnectionResetError: reset\."):
        patiently("Listing s3://b", fail, pauses.append)
    assert pauses == sorted(pauses) and len(pauses) == 4 and pauses[-1] == 8 * pauses[0]


def test_it_is_done_when_it_answers_again() -> None:
    left = [ConnectionResetError("reset"), TimeoutError("late")]

    def do() -> str:
        if left:
            raise left.pop()
        return "done"

    assert patiently("Reading x", do, lambda seconds: None) == "done"
    with pytest.raises(FileNotFoundError):
        patiently("Reading x", lambda: Path("/no/such/file").read_text(), lambda seconds: None)


def test_a_protocol_that_is_none_and_an_extra_that_is_missing_are_said() -> None:
    with pytest.raises(StorageError, match="cannot be used"):
        RemoteShelf("nonsense://x")
    with pytest.raises((MissingExtra, StorageError), match="pip install"):
        RemoteShelf("gs://bucket/x")


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_said_with_its_reason(monkeypatch: Any) -> None:
    pytest.importorskip("s3fs")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    options = {
        "endpoint_url": f"http://127.0.0.1:{port}",
        "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 1},
    }
    shelf = RemoteShelf("s3://b/x", sleep=lambda seconds: None, **options)

    with pytest.raises(Unreachable, match="Listing s3://b/x failed 5 times"):
        shelf.components()


@pytest.mark.slow
def test_works_keep_content_in_a_bucket_too_and_take_it_from_there(bucket: str, command_line: Any) -> None:
    url = f"{bucket}/content"
    app = command_line.app("""
import os, shutil
import lightning as L
from lightning.app.storage import Path, Payload

class Make(L.LightningWork):
    def __init__(self):
        super().__init__()
        self.out, self.value = Path("out"), None

    def run(self):
        os.makedirs("out")
        for name, size in (("small", 10), ("large", 300_000)):
            with open(f"out/{name}", "wb") as file:
                file.write(name[:1].encode() * size)
        self.value = Payload("value")

class Use(L.LightningWork):
    def __init__(self):
        super().__init__()
        self.seen = None

    def run(self, out, value):
        self.seen = [(out / "small").read_text(), (out / "large").stat().st_size, value.value]

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.make, self.use = Make(), Use()

    def run(self):
        self.make.run()
        if os.path.exists("out"):
            shutil.rmtree("out")
            files = os.path.dirname(os.environ["SHARED_MOUNT_DIRECTORY"])
            shutil.rmtree(os.path.join(files, "objects"))
        self.use.run(self.make.out, self.make.value)
        print(self.use.seen)
        self.stop()

app = L.LightningApp(Root())
""")

    ran = command_line.run("run", "app", app, "--storage", url)

    assert ran.process.returncode == 0, ran.report()
    assert ran.stdout == "['ssssssssss', 300000, 'value']\n"


@pytest.mark.slow
def test_a_store_that_cannot_be_reached_fails_the_call_with_its_reason(command_line: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    app = command_line.app("""
import lightning as L
from lightning.app.storage import Path

class Make(L.LightningWork):
    def __init__(self):
        super().__init__()
        self.out = Path("out")

    def run(self):
        self.out.write_text("x")

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.make = Make()

    def run(self):
        self.make.run()
        self.stop()

app = L.LightningApp(Root())
""")
    env = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
    }

    ran = command_line.run("run", "app", app, "--storage", "s3://bucket/x", env=env)

    assert ran.process.returncode == 1 and "Looking into s3://bucket/x failed 5 times" in ran.stderr, ran.report()
