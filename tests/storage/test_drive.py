"""A drive: files by component and name, put whole or not at all.  The same promises on every kind of place."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pickle
import shutil
import threading
from collections.abc import Callable, Iterator

import pytest

from lightning_apps.base.encoding import decode, encode
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.work import LightningWork
from lightning_apps.storage.drive import Drive
from storage.machines import two_machines

Make = Callable[..., Drive]


@pytest.fixture(params=["lit", "elsewhere", "memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Drives of one id by component, each with a local folder of its own; "elsewhere" the run's folder is not seen."""
    monkeypatch.setenv("SHARED_MOUNT_DIRECTORY", str(tmp_path / "shared"))
    if request.param in ("memory", "file"):
        pytest.importorskip("fsspec")
    ids = {
        "lit": "lit://d",
        "elsewhere": "lit://d",
        "memory": f"memory://{tmp_path.name}/d",
        "file": f"file://{tmp_path}/there",
    }

    def drive(component: str | None = None, **options: object) -> Drive:
        root = tmp_path / "local" / (component or "nobody")
        root.mkdir(parents=True, exist_ok=True)
        return Drive(ids[request.param], component_name=component, root_folder=root, **options)  # type: ignore[arg-type]

    with two_machines(tmp_path) if request.param == "elsewhere" else contextlib.nullcontext():
        yield drive


def write(drive: Drive, name: str, text: str) -> str:
    path = drive.root_folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def test_what_one_puts_others_list_and_get(make: Make) -> None:
    a, b = make("root.a"), make("root.b")

    a.put(write(a, "sub/x y.txt", "one"))
    a.put(write(a, "z", "two"))
    b.get("sub/x y.txt")

    assert (b.root_folder / "sub" / "x y.txt").read_text() == "one"
    assert sorted(b.list()) == ["sub", "z"] and b.list("sub") == ["sub/x y.txt"] and b.list("none") == []
    assert b.list(component_name="root.b") == [] and b.list(component_name="root.a") == b.list()


def test_folders_go_in_and_out_whole(make: Make) -> None:
    a, b = make("root.a"), make("root.b")
    for name in ("out/1", "out/deep/2", "out/deep/ü"):
        write(a, name, name)

    a.put("out")
    b.get("out")

    assert (b.root_folder / "out" / "deep" / "ü").read_text() == "out/deep/ü"
    with pytest.raises(FileExistsError, match="overwrite=True"):
        b.get("out")
    write(a, "out/1", "again")
    a.put("out")
    b.get("out", overwrite=True)
    assert (b.root_folder / "out" / "1").read_text() == "again"


def test_files_are_replaced_silently(make: Make) -> None:
    a, b = make("root.a"), make("root.b")
    write(b, "x", "old")
    a.put(write(a, "x", "new"))

    b.get("x")

    assert (b.root_folder / "x").read_text() == "new"


def test_two_components_do_not_put_the_same_name_unless_they_may(make: Make) -> None:
    a, b = make("root.a"), make("root.b")
    a.put(write(a, "x", "a"))
    a.put(write(a, "x", "a again"))

    with pytest.raises(
        FileExistsError, match=r"can't be added as already found in the Drive .* where root\.a has put it"
    ):
        b.put(write(b, "x", "b"))
    assert b._shelf().components() == ["root.a"]
    free = make("root.b", allow_duplicates=True)
    free.put("x")

    with pytest.raises(RuntimeError, match="several matching files created by multiples components"):
        a.get("x")
    a.get("x", component_name="root.b")
    assert (a.root_folder / "x").read_text() == "b" and sorted(a.list()) == ["x", "x"]


def test_what_is_not_there_is_waited_for_as_long_as_asked(make: Make) -> None:
    a, b = make("root.a"), make("root.b")
    write(a, "x", "late")
    later = threading.Timer(0.2, lambda: a.put("x"))
    later.start()

    b.get("x", timeout=20)
    later.join()
    make("root.c").get("x", component_name="root.a", timeout=20)

    assert (b.root_folder / "x").read_text() == "late"
    with pytest.raises(FileNotFoundError, match=r"The following y wasn't found in 0\.05 seconds"):
        b.get("y", timeout=0.05)
    with pytest.raises(FileNotFoundError, match="We didn't find any match for the associated y"):
        b.get("y")


def test_delete_removes_files_and_folders_of_ones_own(make: Make) -> None:
    a, b = make("root.a"), make("root.b")
    a.put(write(a, "x", "1"))
    write(a, "out/deep/y", "2")
    a.put("out")

    with pytest.raises(FileNotFoundError, match=r"doesn't exists in the component_name space root\.b"):
        b.delete("x")
    a.delete("x")
    a.delete("out")

    assert a.list() == []


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd"])
def test_no_path_leads_out_of_the_drive_or_its_local_folder(make: Make, path: str) -> None:
    a = make("root.a")
    for use in (a.put, a.get, a.list, a.delete):
        with pytest.raises(ValueError, match="leads out of"):
            use(path)


def test_a_link_in_the_drive_does_not_lead_out_of_it(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED_MOUNT_DIRECTORY", str(tmp_path / "shared"))
    drive = Drive("lit://d", component_name="root.a", root_folder=tmp_path)
    drive.root.mkdir(parents=True)
    (drive.root / "door").symlink_to("/etc")

    with pytest.raises(ValueError, match="leads out of"):
        drive.get("door/passwd")


def test_errors_of_the_older_framework_by_their_words(make: Make, tmp_path: pathlib.Path) -> None:
    for id, words in (
        ("here", "Unknown protocol"),
        ("lit://a/b", "The id should be unique"),
        ("lit://..", "no name"),
    ):
        with pytest.raises(ValueError, match=words):
            Drive(id)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="The provided root_folder isn't a directory"):
        Drive("lit://d", root_folder=tmp_path / "file")
    with pytest.raises(RuntimeError, match="The component name needs to be known to put a path to the Drive"):
        make().put("x")
    with pytest.raises(RuntimeError, match="The component name needs to be known to delete a path to the Drive"):
        make().delete("x")
    with pytest.raises(FileExistsError, match="The provided path x doesn't exists"):
        make("root.a").put("x")


def test_it_takes_the_name_of_the_component_it_is_an_attribute_of() -> None:
    shared = Drive("lit://d", allow_duplicates=True)

    class Work(LightningWork):
        def __init__(self) -> None:
            super().__init__()
            self.drive = shared

        def run(self) -> None:
            pass

    class Root(LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.drive = Work(), Work(), shared

        def run(self) -> None:
            pass

    root = Root()
    root.b.drive = root.a.drive

    assert [root.a.drive.component_name, root.b.drive.component_name, root.drive.component_name] == [
        "root.a",
        "root.b",
        "root",
    ]
    assert shared.component_name is None and root.a.drive.allow_duplicates and str(root.a.drive) == "lit://d"
    for came in (
        decode(encode(root.a.drive)),
        pickle.loads(pickle.dumps(root.a.drive)),
        Drive.from_dict(root.a.drive.to_dict()),
    ):
        assert came == root.a.drive and came.component_name == "root.a"


def test_a_reader_never_sees_half_a_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED_MOUNT_DIRECTORY", str(tmp_path / "shared"))
    drive = Drive("lit://d", component_name="root.a", root_folder=tmp_path)
    reader = Drive("lit://d", root_folder=tmp_path / "reader")
    seen: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            shutil.rmtree(tmp_path / "reader", ignore_errors=True)
            reader.get("out", overwrite=True)
            seen.add(len(os.listdir(tmp_path / "reader" / "out")))

    for n in range(10):
        write(drive, f"out/{n}", "x")
    drive.put("out")
    watcher = threading.Thread(target=look)
    watcher.start()
    for n in range(10, 20):
        write(drive, f"out/{n}", "x")
    for _ in range(5):
        drive.put("out")
    stop.set()
    watcher.join()

    assert seen and seen <= {10, 20}


def test_where_it_lies_is_where_the_older_framework_had_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHARED_MOUNT_DIRECTORY", raising=False)

    drive = Drive("lit://d", component_name="root.a")

    assert (
        drive.drive_root == tmp_path / ".shared" / "artifacts" / "drive" / "d"
        and drive.root == drive.drive_root / "root.a"
    )
