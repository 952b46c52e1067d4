"""What `[RUN:]COMPONENT/PATH` means: which run, whose files there, and which of them.  Looks at no file itself."""

from __future__ import annotations

import contextlib
import os
import re

import msgspec

from ..base.errors import LightningError, RunError
from ..base.settings import Settings, shared_folder, shared_for
from ..storage.folders import drives_in
from ..storage.names import Names
from . import run_catalog
from .run_folder import RunFolder

LIT = "lit://"
RUN = re.compile(r"(?P<run>[\w-]+):(?!//)(?P<rest>.*)", re.DOTALL)


class Address(msgspec.Struct, frozen=True):
    """A place in a run: `owner` is a work or a drive (`lit://name`), `path` "" for all of it."""

    folder: RunFolder
    owner: str = ""
    path: str = ""

    def __str__(self) -> str:
        return f"{self.owner}/{self.path}" if self.path else self.owner or "."


def address(settings: Settings, text: str) -> Address:
    """What `[RUN:]COMPONENT/PATH` means; a component may be shortened as in other commands.

    Raises:
        RunError: no such run, or nobody of this name has handed anything over.
    """
    match = RUN.fullmatch(text)
    folder = _run(settings, match["run"] if match else "")
    owner, path = split(match["rest"] if match else text)
    if not owner or owner.startswith(LIT):
        return Address(folder, owner, path)
    return Address(folder, _owner(folder, owner), path)


def _run(settings: Settings, wanted: str) -> RunFolder:
    if wanted:
        return run_catalog.choose(settings, wanted)
    try:
        return run_catalog.only_living(settings)
    except RunError:
        return run_catalog.choose(settings)


def split(text: str) -> tuple[str, str]:
    """Whose, and which path."""
    scheme = LIT if text.startswith(LIT) else ""
    owner, _, path = text[len(scheme) :].partition("/")
    return scheme + owner, path.rstrip("/") or ("/" if path else "")


def _owner(folder: RunFolder, wanted: str) -> str:
    known = [name for name in owners(folder) if not name.startswith(LIT)]
    with contextlib.suppress(LightningError):  # it has recorded nothing
        known += run_catalog.past_of(folder).works
    return run_catalog.name_among(folder, set(known), wanted, "work with files")


def drives_of(folder: RunFolder) -> str:
    """Where the drives of a run lie, each under its name."""
    return str(drives_in(folder.shared if shared_for("") else os.path.abspath(shared_folder())))


def owners(folder: RunFolder) -> list[str]:
    """The works of a run that handed something over, and the drives."""
    drives = drives_of(folder)
    names = os.listdir(drives) if os.path.isdir(drives) else []
    return [*Names(folder.names).works(), *sorted(f"{LIT}{name}" for name in names if not name.startswith("."))]
