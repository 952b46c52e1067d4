"""The store keeps content by its hash: whole or not at all, checked when it is read."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_apps.base.errors import ContentDamaged, NotFound, StorageError
from lightning_apps.storage import copying, hashing
from lightning_apps.storage.store import Store

BIG = 9 << 20


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "objects"))


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, BIG])
def test_what_goes_in_comes_out(store: Store, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "in").write_bytes(data)

    name, counted = store.put_file(str(tmp_path / "in"))
    store.copy_to(name, str(tmp_path / "out"))

    assert counted == size and (tmp_path / "out").read_bytes() == data == store.read(name)
    assert store.put(data) == name and list(store.names()) == [name]


@given(data=st.binary(max_size=2000), like=st.sampled_from(["", "b2-"]))
@settings(max_examples=30, deadline=None)
def test_a_name_says_which_hash_it_is_and_both_can_be_checked(data: bytes, like: str) -> None:
    name = hashing.name_of(data, like)

    assert hashing.is_name(name) and hashing.name_of(data, name) == name
    assert hashing.name_of(data + b"x", name) != name


def test_a_producer_that_rewrites_its_file_in_place_changes_nothing_that_was_handed_over(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a" * BIG)
    name, _ = store.put_file(str(file))

    with file.open("r+b") as writer:
        writer.write(b"b" * BIG)

    assert store.read(name) == b"a" * BIG


def test_a_file_that_is_written_to_while_it_is_copied_is_named_for_what_the_copy_has(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a" * BIG)
    with (tmp_path / "in").open("r+b") as source, (tmp_path / "out").open("x+b") as target:

        def rewrite(count: int) -> None:
            os.pwrite(source.fileno(), os.urandom(BIG), 0)

        name, size = copying.copy_hashed(source.fileno(), target.fileno(), progress=rewrite)

    copied = (tmp_path / "out").read_bytes()
    assert len(copied) == size == BIG and hashing.name_of(copied) == name != hashing.name_of(b"a" * BIG)


def test_a_file_that_cannot_be_read_to_its_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a" * BIG)

    with (
        (tmp_path / "in").open("ab") as unreadable,
        (tmp_path / "out").open("wb") as target,
        pytest.raises(OSError, match="Bad file descriptor"),
    ):
        copying.copy_hashed(unreadable.fileno(), target.fileno())


def test_damaged_content_is_an_error_that_names_the_file_and_is_not_given_out(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a" * 3000)
    name, _ = store.put_file(str(tmp_path / "in"))
    path = Path(store.path(name))
    path.chmod(0o600)
    path.write_bytes(b"a" * 2999 + b"b")

    with pytest.raises(ContentDamaged, match=r"model\.pt of root\.train is damaged"):
        store.copy_to(name, str(tmp_path / "out"), what="model.pt of root.train")

    assert not (tmp_path / "out").exists() and not store.has(name)


def test_damaged_content_is_read_again_from_another_copy(tmp_path: Path) -> None:
    other = Store(str(tmp_path / "other"))

    def fetch(name: str) -> bool:
        with store.incoming(name) as target:
            copying.write_all(target, other.read(name))
        return True

    store = Store(str(tmp_path / "objects"), fetch=fetch)
    name = other.put(b"right")
    with store.incoming(name) as target:
        os.write(target, b"wrong")

    assert store.read(name) == b"right"
    store.copy_to(name, str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"right"


def test_content_that_is_nowhere_and_names_that_are_none(store: Store) -> None:
    with pytest.raises(NotFound, match="nobody who has it"):
        store.read(hashing.name_of(b"never put"))
    for name in ("../../etc/passwd", "b3-" + "g" * 64, ""):
        with pytest.raises(NotFound, match="not the name of something"):
            store.path(name)


def test_a_missing_file_and_a_folder_that_cannot_be_written_are_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(NotFound, match="does not exist, so it cannot be handed over"):
        Store(str(tmp_path / "objects")).put_file(str(tmp_path / "missing"))
    with pytest.raises((StorageError, OSError)):
        Store(str(tmp_path / "file")).put(b"x")


def test_a_full_disk_is_a_sentence_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    (tmp_path / "in").write_bytes(b"a" * BIG)
    script = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from lightning_apps.storage.store import Store
import lightning_apps.storage.copying as copying, errno
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    Store({store.folder!r}).put_file({str(tmp_path / "in")!r})
except OSError as error:
    print(type(error).__name__, errno.errorcode[error.errno])
print(copying.cannot_write("/x", OSError(errno.ENOSPC, "full")))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert said.stdout.splitlines() == [
        "OSError EFBIG",
        "/x cannot be written: the disk is full. Free some space there and run it again.",
    ]
    assert everything(Path(store.folder)) == []


def test_what_a_killed_writer_left_is_never_seen_and_is_tidied_up_but_not_what_a_living_one_writes(
    store: Store, tmp_path: Path, eventually: object
) -> None:
    incoming = Path(store.folder) / "incoming"
    script = f"""
import time
from lightning_apps.storage.store import Store
from lightning_apps.storage.hashing import name_of
with Store({store.folder!r}).incoming(name_of(b"whole")) as target:
    import os
    os.write(target, b"who")
    print("half", flush=True)
    time.sleep(60)
"""
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdout.readline() == b"half\n"

    store.tidy()
    assert len(everything(incoming)) == 1 and list(store.names()) == []
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    store.tidy()

    assert everything(incoming) == [] and list(store.names()) == []


def test_a_mapping_can_be_written_to_without_changing_what_is_kept(store: Store) -> None:
    name = store.put(b"a" * 5000)

    mapped = store.map(name)
    mapped[:3] = b"bbb"

    assert mapped[:4] == b"bbba" and store.read(name) == b"a" * 5000


def test_the_parts_of_a_big_copy_are_told_as_they_go(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a" * BIG)
    parts: list[int] = []

    store.put_file(str(tmp_path / "in"), parts.append)

    assert sum(parts) == BIG and len(parts) > 1


def test_a_file_takes_the_place_of_another_at_once_and_keeps_its_lock_until_then(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    with copying.fresh(str(path)) as new:
        os.write(new.descriptor, b"new")
        assert path.read_text() == "old"
        (part,) = [each for each in tmp_path.iterdir() if each.name.startswith(".part-")]
        with part.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    assert path.read_text() == "new" and everything(tmp_path) == ["file"]


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_no_wrong_byte(store: Store, tmp_path: Path, eventually: Any) -> None:
    (tmp_path / "in").write_bytes(os.urandom(48 << 20))
    script = f"""
from lightning_apps.storage.store import Store
while True:
    Store({store.folder!r}).put_file({str(tmp_path / "in")!r})
    Store({store.folder!r}).put(b"x" * 3000000)
"""
    incoming = Path(store.folder) / "incoming"

    def written() -> int:
        try:
            sizes = [each.stat().st_size for each in incoming.glob(".part-*")]
        except FileNotFoundError:
            return 0  # it got its name while we looked
        return max(sizes, default=0)

    for size in (1, 8 << 20, 40 << 20):
        writer = subprocess.Popen([sys.executable, "-c", script])
        eventually(lambda size=size: written() >= size)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        store.tidy()
        assert not list(incoming.glob(".part-*")) and all(store.check(name) for name in store.names())
