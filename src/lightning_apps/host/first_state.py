"""What `__init__` made of an app, kept beside its journal: the records tell only what changed since.  For people who look at a run."""

from __future__ import annotations

import os
import re
from typing import Any

from ..base.encoding import decode, encode
from ..base.errors import CannotKeep
from ..core.coordinator import Coordinator
from .run_folder import RunFolder

NAME = re.compile(r"start-(\d+)\.state$")


def keep(folder: RunFolder, coordinator: Coordinator) -> None:
    """Write down the values of all components, before the first turn of a host; the run goes on without where that fails."""
    if not coordinator.turn:
        return  # it has ended before it began
    values = {name: component._lit_values() for name, component in coordinator.tree.items()}
    path = os.path.join(folder.path, f"start-{coordinator.turn}.state")
    try:
        data = encode(values)
        with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        os.replace(f"{path}.new", path)
    except (OSError, CannotKeep):
        """What is missing is missed by those who look, and by nobody else."""


def kept(path: str, first: int = 0) -> dict[int, bytes]:
    """By turn, what was kept in a run's folder, of turns from `first` on."""
    found = {}
    for name in os.listdir(path):
        match = NAME.match(name)
        if match is not None and int(match[1]) >= first:
            with open(os.path.join(path, name), "rb") as file:
                found[int(match[1])] = file.read()
    return found


def attributes(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """The attributes that each component's code had when the latest host of a run began, and what they were."""
    states = kept(folder.path)
    return decode(states[max(states)]) if states else {}
