"""Files of a run for another that was forked from it.  Knows nothing of what they are."""

from __future__ import annotations

import os
import shutil

from ..storage import local
from .run_folder import RunFolder


def share(source: RunFolder, target: RunFolder) -> None:
    """Have a run that was forked from another find its files; content is shared by links, and stays until both are gone."""
    for part, copy in (("objects", _link), ("names", shutil.copy2), ("shared", _copied)):
        where = os.path.join(source.files, part)
        if os.path.isdir(where):
            shutil.copytree(
                where, os.path.join(target.files, part), copy_function=copy, dirs_exist_ok=True, ignore=_unfinished
            )


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or no links there
        shutil.copy2(source, target)


def _copied(source: str, target: str) -> None:
    local.copy_file(source, target)


def _unfinished(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if local.is_part(name) or name == "incoming"}
