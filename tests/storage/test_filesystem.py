"""The shared folder by absolute-looking paths."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_apps.storage.filesystem import FileSystem
from lightning_apps.storage.local import _filesystem
from storage.machines import two_machines


@pytest.fixture(params=["here", "elsewhere"])
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[FileSystem]:
    monkeypatch.setenv("SHARED_MOUNT_DIRECTORY", str(tmp_path / "shared"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "b.txt").write_text("B")
    (tmp_path / "folder" / "info.txt").write_text("hidden")
    with two_machines(tmp_path) if request.param == "elsewhere" else contextlib.nullcontext():
        yield FileSystem()


def test_files_and_folders_go_in_and_out(shared: FileSystem, tmp_path: Path) -> None:
    shared.put("a.txt", "/")
    shared.put("a.txt", "/new/name.txt")
    shared.put("folder", "/folder")

    shared.get("/new/name.txt", "got.txt")
    shared.get("/folder", "got")

    assert (tmp_path / "got.txt").read_text() == "A" and (tmp_path / "got" / "deep" / "b.txt").read_text() == "B"
    assert shared.listdir("/") == ["a.txt", "folder", "new"] and shared.listdir("/folder") == ["deep"]
    assert shared.walk("/") == ["a.txt", "folder/deep/b.txt", "new/name.txt"]
    assert shared.isfile("/a.txt") and shared.isdir("/folder") and not shared.isfile("/no")
    shared.rm("/a.txt")
    shared.rm("/folder")
    assert shared.listdir("/") == ["new"]


def test_what_cannot_be_is_said(shared: FileSystem) -> None:
    shared.put("folder", "/folder")

    for bad in ("a.txt", "../x"):
        with pytest.raises(ValueError, match="needs to start with `/`"):
            shared.put("a.txt", bad)
    with pytest.raises(ValueError, match="leads out of"):
        shared.get("/../../etc/passwd", "x")
    with pytest.raises(FileExistsError, match="doesn't exist"):
        shared.put("missing", "/")
    with pytest.raises(RuntimeError, match="The provided path /no doesn't exist"):
        shared.listdir("/no")
    with pytest.raises(RuntimeError, match="The file path /no doesn't exist"):
        shared.rm("/no")
    with pytest.raises(FileExistsError):
        shared.get("/folder", "folder", overwrite=False)
    with pytest.raises(RuntimeError):
        shared.rm("/")


def test_the_file_system_that_older_code_asks_for_has_fsspecs_methods(tmp_path: Path) -> None:
    files = _filesystem()
    files.makedirs(tmp_path / "x", exist_ok=True)
    with files.open(tmp_path / "x" / "a", "w") as file:
        file.write("1")
    files.put(tmp_path / "x" / "a", tmp_path / "x" / "b")
    files.get(tmp_path / "x", tmp_path / "y", recursive=True)

    assert files.ls(tmp_path / "y") == [str(tmp_path / "y" / "a"), str(tmp_path / "y" / "b")]
    assert files.info(tmp_path / "y" / "a")["size"] == 1 and files.isdir(tmp_path / "y")
    assert [names for _, _, names in files.walk(tmp_path / "y")] in (["a", "b"], [["a", "b"]], [["b", "a"]])
    files.rm(tmp_path / "y", recursive=True)
    assert not files.exists(tmp_path / "y")
