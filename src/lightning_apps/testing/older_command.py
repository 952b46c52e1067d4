"""`lightning run app` within a test's own process, as the older framework's tests run it.  Knows nothing of what it does."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from importlib import import_module
from typing import Any

import click
import msgspec

from ..base.settings import Settings
from ..cli.run import app as run_app_command
from ..host.dispatch import run_file_here
from ..model.app import LightningApp
from .older_app import LightningTestApp

__all__ = ["application_testing", "run_app"]


def run_here(path: str, settings: Settings) -> int:
    """Run an app file in this process; its run folder goes to a temporary place unless settings name one."""
    if settings.run_dir is not None:
        return run_file_here(path, settings)
    with tempfile.TemporaryDirectory() as folder:
        return run_file_here(path, msgspec.structs.replace(settings, run_dir=folder))


def _in_this_process(command: click.Command) -> click.Command:
    twin = copy(command)
    twin.context_settings = {**command.context_settings, "obj": run_here}
    return twin


run_app = _in_this_process(run_app_command)


def application_testing(
    lit_app_cls: Callable[..., LightningApp] = LightningTestApp, command_line: Sequence[str | os.PathLike[str]] = ()
) -> Any:
    """Run an app file with another class in the place of `LightningApp`, as `lightning run app` would, and wait for its end.

    Args:
        lit_app_cls: a `LightningTestApp` that looks on, or anything that makes one.  It takes the place of `lightning.LightningApp`
            while the file is executed, so the file has to say `L.LightningApp(...)` or import the name from `lightning` or `lightning.app`.
        command_line: what stands behind `lightning run app`: the file, then options.

    Returns:
        click's `Result`: `exit_code`, and `stdout_bytes` with what the flow printed.  Works print in their own processes.

    Raises:
        Exception: whatever the hooks of `lit_app_cls` raise.

    Example:
        class Look(LightningTestApp):
            def on_after_run_once(self):
                return True if self.root.work.has_succeeded else None

        result = application_testing(Look, ["app.py", "--open-ui", "False"])
        assert result.exit_code == 0
    """
    from click.testing import CliRunner  # only tests need it

    words = [os.fspath(word) for word in command_line]
    with _in_place_of_apps(lit_app_cls), _arguments(words):
        return CliRunner().invoke(run_app, words, catch_exceptions=False)


@contextmanager
def _in_place_of_apps(kind: Callable[..., LightningApp]) -> Iterator[None]:
    face: Any = import_module("lightning.app")
    former = face.LightningApp
    face.LightningApp = kind  # `lightning.LightningApp` is looked up there
    try:
        yield
    finally:
        face.LightningApp = former


@contextmanager
def _arguments(words: list[str]) -> Iterator[None]:
    former = sys.argv
    sys.argv = words
    try:
        yield
    finally:
        sys.argv = former
