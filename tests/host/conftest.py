"""Apps of stand-ins, run as real processes, for the tests of keeper, zygote and engine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = str(Path(__file__).with_name("stand_in.py"))
WAIT = "desk.until(lambda: False, 1e6)"


class Stage:
    """Starts stand-in apps in a folder of the test's own."""

    def __init__(self, command_line: Any, folder: Path, eventually: Callable[..., Any]) -> None:
        self.line, self.folder, self.eventually = command_line, folder, eventually

    def app(
        self, host: str = WAIT, load: str = "", works: dict[str, str] | None = None, embedded: bool = False, **more: Any
    ) -> Any:
        settings = {"grace": 5.0, **more}
        order = {"settings": settings, "folder": str(self.folder), "load": load, "host": host}
        text = json.dumps({**order, "works": works or {}, "embedded": embedded})
        return self.line.execute([sys.executable, SCRIPT, text], cwd=self.folder)

    def until_there(self, *names: str) -> None:
        for name in names:
            self.eventually(lambda name=name: (self.folder / name).exists(), 20, what=f"file {name}")

    def pid(self, name: str) -> int:
        return int(self.eventually(lambda: (self.folder / name).exists() and (self.folder / name).read_text(), 20))

    def events(self) -> str:
        return (self.folder / "events.txt").read_text()


@pytest.fixture
def stage(command_line: Any, tmp_path: Path, eventually: Callable[..., Any]) -> Stage:
    return Stage(command_line, tmp_path, eventually)
