"""A machine's store: what is used stays, what nobody has used for long goes, whoever dies uses nothing any more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lightning_apps.engines.minding import tidying
from lightning_apps.engines.minding.tidying import KEPT, YOUNG, tidy, use

NOW = 4_000_000_000.0  # long after whatever this test does


def folder(store: Path, name: str, age: float) -> Path:
    """A folder that was used so many seconds ago."""
    made = store / name
    made.mkdir()
    (made / "file").touch()
    os.close(use(str(made)))
    os.utime(f"{made}.use", (NOW - age, NOW - age))
    return made


def names(store: Path) -> set[str]:
    return {path.name for path in store.iterdir() if path.is_dir()}


def test_the_newest_and_the_young_are_kept_and_the_rest_goes_with_what_lies_beside_it(tmp_path: Path) -> None:
    for number in range(8):
        folder(tmp_path, f"app-{number}", YOUNG + number)
    for number in range(6):
        folder(tmp_path, f"env-{number}", number)

    removed = tidy(str(tmp_path), NOW)

    assert removed == ["app-5", "app-6", "app-7"]
    assert names(tmp_path) == {f"app-{number}" for number in range(KEPT["app-"])} | {f"env-{n}" for n in range(6)}
    assert not (tmp_path / "app-7.use").exists()


def test_what_is_used_stays_however_old_and_goes_when_its_user_has_died(tmp_path: Path) -> None:
    old = folder(tmp_path, "files-a", 10 * YOUNG)
    code = (
        f"from lightning_apps.engines.minding.tidying import use; use({str(old)!r}); print('held', flush=True); input()"
    )
    user = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert user.stdout is not None and user.stdout.readline() == b"held\n"

    while_used = tidy(str(tmp_path), NOW)
    user.kill()
    user.communicate()

    assert (while_used, tidy(str(tmp_path), NOW), names(tmp_path)) == ([], ["files-a"], set())


def test_who_begins_to_use_it_while_it_is_removed_finds_it_gone_or_keeps_it(tmp_path: Path) -> None:
    for _ in range(50):
        target = folder(tmp_path, "files-x", 10.0) if not (tmp_path / "files-x").exists() else tmp_path / "files-x"
        held: list[int] = []
        user = threading.Thread(target=lambda: held.append(use(str(target))))  # noqa: B023 - joined below
        user.start()
        removed = tidy(str(tmp_path), NOW)
        user.join()
        there = target.exists()
        again = tidy(str(tmp_path), NOW)
        assert target.exists() == there and again == [] and there != bool(removed)
        os.close(held[0])


def test_what_was_left_half_done_goes_after_a_day(tmp_path: Path) -> None:
    stray, fresh = tmp_path / "tmpold", tmp_path / "tmpnew"
    stray.mkdir(), fresh.mkdir()
    os.utime(stray, (NOW - 2 * tidying.STRAY,) * 2)
    os.utime(fresh, (NOW, NOW))

    tidy(str(tmp_path), NOW)

    assert names(tmp_path) == {"tmpnew"}


@pytest.mark.parametrize("name", ["other", "appendix", "x"])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, name: str) -> None:
    folder(tmp_path, name, 100 * YOUNG)

    assert tidy(str(tmp_path), NOW) == [] and names(tmp_path) == {name}
