"""The file `.lightning` beside an app, which holds its name.  Nothing of ours reads it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import LightningError

APP_CONFIG_FILENAME = ".lightning"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*")


class NoAppConfig(LightningError, ValueError):
    """A file that holds no name of an app."""


@dataclass
class AppConfig:
    """The name of an app, as the older framework kept it in YAML.

    Args:
        name: of the app.
    """

    name: str

    def save_to_file(self, path: str | os.PathLike[str]) -> None:
        """Write it to this file."""
        name = self.name if PLAIN.fullmatch(self.name) else "'{}'".format(self.name.replace("'", "''"))
        Path(path).write_text(f"name: {name}\n", encoding="utf-8")

    def save_to_dir(self, directory: str | os.PathLike[str]) -> None:
        """Write it to the file `.lightning` of this folder."""
        self.save_to_file(os.path.join(directory, APP_CONFIG_FILENAME))

    @classmethod
    def load_from_file(cls, path: str | os.PathLike[str]) -> AppConfig:
        """Read it from this file.

        Raises:
            NoAppConfig: (ValueError) it holds no name.
            OSError: it cannot be read.
        """
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            key, colon, value = line.partition(":")
            if key.strip() == "name" and colon:
                return cls(_plain(value.strip()))
        raise NoAppConfig(f"The file {os.fspath(path)!r} has no line 'name: …', so it names no app.")

    @classmethod
    def load_from_dir(cls, directory: str | os.PathLike[str]) -> AppConfig:
        """Read it from the file `.lightning` of this folder; see `load_from_file`."""
        return cls.load_from_file(os.path.join(directory, APP_CONFIG_FILENAME))


def _plain(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1].replace("''", "'") if value[0] == "'" else value[1:-1]
    return value
