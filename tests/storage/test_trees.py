"""Any tree of files in equals the tree out, and none leads out of its folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_apps.base.errors import OutsideFolder, StorageError
from lightning_apps.storage import trees
from lightning_apps.storage.store import Store

NAME = st.one_of(
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=60),
    st.sampled_from(
        [
            "a",
            "A",
            "a b",
            ".hidden",
            "...",
            "-rf",
            "ä",
            "a\u0308",
            "\N{PILE OF POO}",
            "n" * 255,
            "x.tar.gz",
            "%2F",
            "\n",
        ]
    ),
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)
CONTENT = st.one_of(
    st.binary(max_size=200), st.sampled_from([b"", b"x" * (trees.PACKED - 1), b"y" * (trees.PACKED + 1)])
)
TREES = st.recursive(CONTENT, lambda inside: st.dictionaries(NAME, inside, max_size=4), max_leaves=8).map(
    lambda found: found if isinstance(found, dict) else {"file": found}
)


def write(folder: Path, content: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, inside in content.items():
        if isinstance(inside, dict):
            write(folder / name, inside)
        else:
            (folder / name).write_bytes(inside)


def read(folder: Path) -> dict:
    return {each.name: read(each) if each.is_dir() else each.read_bytes() for each in folder.iterdir()}


@given(content=TREES)
@settings(max_examples=60, deadline=None)
def test_any_tree_of_files_in_equals_the_tree_out(content: dict) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        base, store = Path(scratch), Store(f"{scratch}/objects")
        write(base / "in", content)

        name, tree = trees.put_tree(store, str(base / "in"))
        trees.write_tree(store, trees.load(store, name), str(base / "out"))

        assert read(base / "out") == content
        assert trees.put_tree(store, str(base / "out"))[0] == name
        assert tree.contents() <= set(store.names())


def test_links_inside_stay_links_and_links_out_become_what_they_point_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "file").write_text("there")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("here")
    (tmp_path / "in" / "file").chmod(0o755)
    (tmp_path / "in" / "inner").symlink_to("file")
    (tmp_path / "in" / "outer").symlink_to(tmp_path / "elsewhere" / "deep" / "file")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "nothing").symlink_to(tmp_path / "nothing")
    store = Store(str(tmp_path / "objects"))

    name, _ = trees.put_tree(store, str(tmp_path / "in"))
    shutil.rmtree(tmp_path / "in")
    shutil.rmtree(tmp_path / "elsewhere")
    trees.write_tree(store, trees.load(store, name), str(tmp_path / "out"))

    out = tmp_path / "out"
    assert os.readlink(out / "inner") == "file" and (out / "file").stat().st_mode & 0o777 == 0o755
    assert not (out / "outer").is_symlink() and (out / "outer").read_text() == "there"
    assert (out / "folder" / "deep" / "file").read_text() == "there"
    assert not (out / "nothing").exists()


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a//b", "", ".", "a/\0"])
def test_a_list_with_a_path_out_of_its_folder_is_not_written(tmp_path: Path, path: str) -> None:
    store = Store(str(tmp_path / "objects"))
    pack = store.put(b"evil")
    forged = store.put(msgspec.msgpack.encode(trees.Tree([trees.Item(path, trees.PIECE, 0o644, 4, pack, 0)])))

    with pytest.raises(OutsideFolder):
        trees.load(store, forged)


def test_nothing_is_written_through_a_link_of_the_list_itself(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "objects"))
    pack = store.put(b"evil")
    items = [trees.Item("door", trees.LINK, content="../../outside"), trees.Item("door/x", trees.PIECE, 0o644, 4, pack)]
    forged = store.put(msgspec.msgpack.encode(trees.Tree(items)))

    with pytest.raises(OutsideFolder):
        trees.load(store, forged)

    inner = [trees.Item("door", trees.LINK, content="room"), trees.Item("door/x", trees.PIECE, 0o644, 4, pack)]
    with pytest.raises((StorageError, OSError)):
        trees.write_tree(store, trees.Tree(inner), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_new_version_takes_the_place_of_the_old_and_leaves_nothing_beside(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "objects"))
    write(tmp_path / "in", {"a": b"1", "b": {"c": b"2"}})
    write(tmp_path / "out", {"old": b"x"})
    _, tree = trees.put_tree(store, str(tmp_path / "in"))

    trees.write_tree(store, tree, str(tmp_path / "out"))

    assert read(tmp_path / "out") == {"a": b"1", "b": {"c": b"2"}}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in", "objects", "out"]


def test_a_folder_is_told_from_itself_after_any_change(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a": b"1", "b": {"c": b"2"}})
    before = trees.fingerprint(str(tmp_path / "in"))

    assert trees.fingerprint(str(tmp_path / "in")) == before
    (tmp_path / "in" / "b" / "c").write_bytes(b"3")
    assert trees.fingerprint(str(tmp_path / "in")) != before
