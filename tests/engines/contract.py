"""What every engine promises: the ways an app is run, and small apps run that way.  Knows nothing of how engines do it.

An engine opts out by name: a test that needs "isolation", "signals" or "devices" is left out where the way does not promise it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PROMISES = frozenset({"isolation", "signals", "devices"})

PRELUDE = """
import os, signal, sys, threading, time
import lightning as L


class Work(L.LightningWork):
    def run(self, *args, **kwargs):
        pass


class Flow(L.LightningFlow):
    def see(self, work):
        seen = self.__dict__.setdefault("_seen", {}).setdefault(work.name, {})
        for status in work.statuses:
            seen.setdefault((status.stage, status.timestamp), status.stage)
        return list(seen.values())


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.0005)

"""
PRELUDE_LINES = PRELUDE.count("\n")

ENDING = "\n\napp = L.LightningApp(Root())\n"


class Way(NamedTuple):
    """One way to run an app: an engine with settings."""

    name: str
    env: Mapping[str, str]
    promises: frozenset[str]

    def __str__(self) -> str:
        return self.name


WAYS = (
    Way("inline", {"LIGHTNING_ENGINE": "inline"}, frozenset()),
    Way("local", {}, PROMISES),
    Way("spawned", {"LIGHTNING_START_METHOD": "spawn"}, PROMISES),
    Way("portable", {"LIGHTNING_PORTABLE": "1"}, PROMISES),
    Way("ray", {"LIGHTNING_ENGINE": "ray", "LIGHTNING_REMOTE_ORPHAN_LIMIT": "20"}, PROMISES),
)


class Played(NamedTuple):
    """What an app printed, and how it ended."""

    lines: list[str]
    errors: str
    code: int


class Player:
    """Runs app texts on one way, each to its end, and checks that nothing is left of it."""

    def __init__(self, way: Way, command_line: Any) -> None:
        self.way, self.line = way, command_line

    def __call__(self, body: str, *, code: int = 0, timeout: float = 90.0, **env: str) -> Played:
        """Run `PRELUDE`, `body` (which defines `Root`) and an app of it; fails unless it ends with `code`."""
        path = self.line.app(PRELUDE + body + ("" if "LightningApp(" in body else ENDING))
        ran = self.line.run("run", "app", path, "--without-server", timeout=timeout, env={**self.way.env, **env})
        assert ran.process.returncode == code, ran.report()
        return Played(ran.stdout.splitlines(), ran.stderr, code)

    def lines(self, body: str, **options: Any) -> list[str]:
        """What the app printed on stdout."""
        return self(body, **options).lines
