"""Which app a terminal is connected to: one small file for each, for its user alone.  Knows nothing of what is done there."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import msgspec

FOLDER = "connections"


class Connection(msgspec.Struct, kw_only=True):
    """What `lightning connect` keeps for the commands after it.

    Attributes:
        url: of the app.
        token: lets one in.
        certificate: file of the one that the app shows, where it is not trusted anyhow.
        commands: what the app said of its commands.
        code: of each command whose code may run here, the SHA-256 of the file that was trusted.
        own: the app is a run of this user on this machine, so its code may run here anyhow.
    """

    url: str
    token: str = ""
    commands: list[dict[str, Any]] = []
    code: dict[str, str] = {}
    own: bool = False
    certificate: str = ""

    def find(self, words: list[str]) -> tuple[dict[str, Any], int] | None:
        """The command that these words begin with, the longest if several do, and how many words its name has."""
        for count in range(len(words), 0, -1):
            name = " ".join(words[:count])
            for command in self.commands:
                if command["name"] == name:
                    return command, count
        return None


def terminal(pid: int) -> str:
    """Names the terminal whose shell is process `pid`: numbers are given again, so its start goes with it."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return f"{pid}-{file.read().rpartition(b')')[2].split()[19].decode()}"
    except (OSError, IndexError):
        return f"{pid}-0"


def load(home: str, name: str) -> Connection | None:
    """The connection of a terminal, if it has one."""
    try:
        with open(_path(home, name), "rb") as file:
            return msgspec.json.decode(file.read(), type=Connection)
    except (OSError, msgspec.DecodeError):
        return None


def save(home: str, name: str, connection: Connection) -> None:
    """Keep it for this terminal; those of terminals that are gone are removed."""
    os.makedirs(os.path.join(home, FOLDER), mode=0o700, exist_ok=True)
    _tidy(os.path.join(home, FOLDER))
    path = _path(home, name)
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(connection))
    os.replace(f"{path}.new", path)


def forget(home: str, name: str) -> Connection | None:
    """End the connection of a terminal; what it was, if there was one."""
    former = load(home, name)
    with contextlib.suppress(OSError):
        os.unlink(_path(home, name))
    return former


def _path(home: str, name: str) -> str:
    return os.path.join(home, FOLDER, f"{name}.json")


def _tidy(folder: str) -> None:
    for entry in os.listdir(folder):
        name = entry.partition(".")[0]
        pid = name.partition("-")[0]
        if not name.endswith("-0") and pid.isdigit() and terminal(int(pid)) != name:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, entry))
