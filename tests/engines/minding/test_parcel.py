"""The app's folder: packed by content, unpacked whole."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.settings import Settings
from lightning_apps.engines.minding import parcel
from lightning_apps.host import run_folder

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


def make(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_the_same_content_is_packed_once_and_has_the_same_digest(tmp_path):
    one = make(tmp_path / "one", {"app.py": b"x", "sub/data": b"y"})
    other = make(tmp_path / "other", {"app.py": b"x", "sub/data": b"y"})

    first, second = (parcel.pack(str(folder), str(tmp_path / "parcels")) for folder in (one, other))

    assert first == second
    assert len(list((tmp_path / "parcels").iterdir())) == 1


def test_what_is_ignored_stays_behind(tmp_path):
    folder = make(
        tmp_path / "app",
        {
            "app.py": b"", "big.bin": b"", "data/a.csv": b"", "data/keep.txt": b"", "logs/x": b"", ".git/config": b"",
            "deep/logs/y": b"", ".lightningignore": b"# comment\n*.bin\n/data/*.csv\nlogs/\n",
        },
    )  # fmt: skip

    assert sorted(parcel.contents(str(folder))) == [".lightningignore", "app.py", "data/keep.txt"]


def test_no_run_goes_anywhere_with_its_key_and_its_secret_wherever_it_lies(tmp_path):
    folder = make(tmp_path, {"app.py": b"x"})
    run_folder.create(Settings(run_dir=str(folder / "mine"))).secret()

    assert list(parcel.contents(str(folder))) == ["app.py", "mine/.gitignore"]


def test_what_is_gone_before_it_is_packed_is_left_out(tmp_path):
    folder = make(tmp_path / "app", {"app.py": b"x", "log": b"y"})

    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        for name in list(parcel.contents(str(folder))):
            (folder / "log").unlink(missing_ok=True)
            parcel._add(archive, str(folder), name, parcel._Digest())

    assert archive.namelist() == ["app.py"]


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    (tmp_path / "secret").write_text("no")
    folder = make(tmp_path / "app", {"app.py": b""})
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "in").symlink_to(folder / "app.py")

    assert sorted(parcel.contents(str(folder))) == ["app.py", "in"]


def test_a_name_that_leaves_the_folder_is_refused_and_leaves_nothing(tmp_path):
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("../escaped", "x")

    with pytest.raises(ValueError, match="would leave the folder"):
        parcel.unpack(str(archive), str(tmp_path / "goal"))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.zip"]


def test_a_program_stays_a_program(tmp_path):
    folder = make(tmp_path / "app", {"run.sh": b"#!/bin/sh\n"})
    (folder / "run.sh").chmod(0o755)

    packed = parcel.pack(str(folder), str(tmp_path / "parcels"))
    parcel.unpack(packed.path, str(tmp_path / "goal"))

    assert (tmp_path / "goal" / "run.sh").stat().st_mode & 0o100


@given(st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=50), max_size=6))
def test_any_folder_in_is_the_same_folder_out(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("any")
    wanted = {}
    for name, content in files.items():
        try:
            make(folder / "app", {name: content})
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
        wanted[name] = content
    (folder / "app").mkdir(exist_ok=True)
    kept = set(parcel.contents(str(folder / "app")))

    packed = parcel.pack(str(folder / "app"), str(folder / "parcels"))
    parcel.unpack(packed.path, str(folder / "goal"))

    assert {name: (folder / "goal" / name).read_bytes() for name in kept} == {name: wanted[name] for name in kept}
    assert parcel.digest_of(str(folder / "goal")) == packed.digest
