"""`Path` is pathlib's, and remembers which work it came from; here without an app."""

from __future__ import annotations

import copy
import pathlib
import pickle
from typing import Any

import pytest

from lightning_apps.base.encoding import decode, encode
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.work import LightningWork
from lightning_apps.storage.folders import _is_lit_path, _storage_root_dir
from lightning_apps.storage.path import Path


class Works(LightningWork):
    def __init__(self, path: object = None) -> None:
        super().__init__()
        self.path, self.held = path, [path]

    def run(self) -> None:
        pass


class Two(LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = Works(Path("x", "y")), Works()

    def run(self) -> None:
        pass


def owned(path: Path) -> Path:
    path._origin, path._consumer = "root.a", "root.b"
    return path


def test_it_is_made_and_compares_as_pathlibs() -> None:
    assert Path() == pathlib.Path() and Path("a", "b") == pathlib.Path("a/b") == Path(Path(pathlib.Path("a"), "b"))
    assert hash(Path("a/b")) == hash(pathlib.Path("a/b")) and Path("a").origin_name is None is Path("a").consumer_name
    assert isinstance(Path.cwd(), Path) and isinstance(Path("a"), pathlib.Path)


def test_lit_leads_below_the_storage_root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert Path("lit://") == _storage_root_dir() == tmp_path / ".storage"
    assert Path("lit://a/b") == Path("lit://", "a", "b") == tmp_path / ".storage" / "a" / "b"
    assert _is_lit_path("lit://a") and _is_lit_path(Path("lit://a")) and not _is_lit_path("lit")
    monkeypatch.setenv("STORAGE_ROOT_DIR", str(tmp_path / "other"))
    assert Path("lit://a") == tmp_path / "other" / "a"


@pytest.mark.parametrize(
    "derive",
    [
        lambda p: p / "d",
        lambda p: "/" / p,
        lambda p: pathlib.Path("/") / p,
        lambda p: p.joinpath("d", "e"),
        lambda p: p.parent,
        lambda p: p.parents[1],
        lambda p: p.with_name("n"),
        lambda p: p.with_stem("n"),
        lambda p: p.with_suffix(".s"),
        lambda p: p.relative_to("a"),
        lambda p: p.absolute(),
        lambda p: p.resolve(),
        lambda p: Path(p, "d"),
        Path,
        copy.copy,
        copy.deepcopy,
        lambda p: pickle.loads(pickle.dumps(p)),
        lambda p: Path.from_dict(p.to_dict()),
    ],
)
def test_what_is_derived_from_it_is_of_the_same_works(derive: object) -> None:
    made = derive(owned(Path("a", "b", "c.txt")))  # type: ignore[operator]

    assert type(made) is Path and made.origin_name == "root.a" and made.consumer_name == "root.b"


def test_what_it_lists_is_of_the_same_works(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    folder = owned(Path(tmp_path))

    found = [*folder.iterdir(), *folder.glob("*/*"), *folder.rglob("file")]

    assert [each.name for each in found] == ["a", "file", "file"]
    assert {each.origin_name for each in found} == {"root.a"}


def test_parts_of_different_works_do_not_make_one_path() -> None:
    other = Path("file")
    other._origin = "root.other"

    with pytest.raises(TypeError, match=r"originate from different LightningWork: root\.a, root\.other"):
        Path(owned(Path("a")), other)
    assert Path(owned(Path("a")), Path("b")).origin_name == "root.a"


def test_the_hash_is_of_origin_and_path() -> None:
    one, same, other = owned(Path("a")), owned(Path("a")), owned(Path("b"))

    assert Path("a").hash is None
    assert one.hash == same.hash != other.hash
    same._origin = "root.c"
    assert one.hash != same.hash


@pytest.mark.parametrize("put", [lambda a, b: a / b, lambda a, b: a.joinpath(b)], ids=["/", "joinpath"])
def test_a_path_of_another_work_put_behind_one_changes_nothing_of_whose_it_is(put: Any) -> None:
    other = Path("x")
    other._origin = "root.x"

    made = put(owned(Path("a")), other)

    assert type(made) is Path and str(made) == "a/x" and made.origin_name == "root.a"
    with pytest.raises(TypeError):
        3 / made


def test_a_path_that_lies_elsewhere_is_known_by_its_source_and_so_is_what_is_derived_from_it() -> None:
    moved = owned(Path("out")).lying_at("/beside/out")

    assert str(moved / "x") == "/beside/out/x" and (moved / "x").source == "out/x"
    assert pickle.loads(pickle.dumps(moved / "x")) == pathlib.Path("out/x")
    assert moved.parent.source == "/beside"


def test_the_first_work_it_is_an_attribute_of_is_its_origin_also_inside_lists_and_dicts() -> None:
    root = Two()
    assert root.a.path.origin_name == root.a.held[0].origin_name == "root.a" == root.a.path.consumer_name

    root.b.path = root.a.path
    root.b.held.append({"deep": (root.a.path / "z", 1)})
    root.b.held.append(Path("own"))

    assert (root.b.path.origin_name, root.b.path.consumer_name) == ("root.a", "root.b")
    assert root.b.held[1]["deep"][0].consumer_name == "root.b" and root.b.held[2].origin_name == "root.b"
    assert root.a.path.consumer_name == "root.a"


def test_a_flow_only_passes_paths_on() -> None:
    class Root(LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.path = Path("a")

        def run(self) -> None:
            pass

    assert Root().path.origin_name is None


def test_as_state_it_keeps_path_and_origin(tmp_path: pathlib.Path) -> None:
    for name in ("a b", "ä", "x" * 255, "\udc80", ".h", "A"):
        came = decode(encode([owned(Path(name))]))[0]
        assert (came, came.origin_name) == (Path(name), "root.a")


def test_without_an_app_nothing_can_be_fetched_and_the_sentence_says_why() -> None:
    path = Two().a.path

    with pytest.raises(RuntimeError, match="the path is not attached to a LightningWork"):
        Path("a").get()
    with pytest.raises(RuntimeError, match=r"not attached to a LightningApp.*within `__init__`"):
        path.get()
    with pytest.raises(RuntimeError, match="Trying to check if the file a exists"):
        Path("a").exists_remote()
    assert not path.exists() and not path.exists_local()
