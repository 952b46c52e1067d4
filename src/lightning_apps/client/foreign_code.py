"""Runs the half of a command that an app's author wrote for the user's machine, after others decided that it may.

Knows nothing of trust, except that code which is not what was trusted is not run.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from ..base.errors import MissingExtra
from ..model.api import ClientCommand
from ..model.app import AppFound, LightningApp
from .remote import CommandFailed, RemoteApp


def run(app: RemoteApp, command: dict[str, Any], trusted: str | None, words: list[str]) -> Any:
    """What the command's `run` returned.

    Args:
        command: as the app lists it.
        trusted: the SHA-256 that its file has to have; None: whatever it has, as the app is the user's own.
        words: what stands behind its name; its `run` finds it in `sys.argv`.

    Raises:
        CommandFailed: its code is another than was trusted, or is none.
        MissingExtra: it needs packages that are not installed.
    """
    name = command["name"]
    _require(name, command["client"]["requirements"])
    code = app.code(command["path"])
    found = hashlib.sha256(code["source"].encode()).hexdigest()
    if trusted is not None and found != trusted:
        raise CommandFailed(
            f"The code of the command {name!r} has changed since it was trusted: lightning connect {app.url} shows it anew."
        )
    kind = _class_in(_load(code, found, own=trusted is None), code["class"], name)
    made = kind(_stand_in(name, command["description"]))
    made.connect(name, app)
    sys.argv = [f"lightning {name}", *words]
    return made.run()


def _require(name: str, requirements: Iterable[str]) -> None:
    missing = [each for each in requirements if not _is_installed(re.split(r"[\s<>=!~\[;@]", each, maxsplit=1)[0])]
    if missing:
        raise MissingExtra(
            f"The command {name!r} needs packages that are not installed here: pip install {' '.join(missing)}"
        )


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _load(code: dict[str, str], digest: str, own: bool) -> ModuleType:
    """The file as a module of its own name; an app in it is built and not run."""
    module = ModuleType(f"lightning_command_{digest[:16]}")
    module.__file__ = code["file"]
    sys.modules[module.__name__] = module
    if own:
        sys.path.insert(0, os.path.dirname(os.path.abspath(code["file"])))
    former, LightningApp.loading = LightningApp.loading, True
    try:
        exec(compile(code["source"], code["file"], "exec"), module.__dict__)
    except AppFound:
        """`app.run()` is the end of it."""
    finally:
        LightningApp.loading = former
    return module


def _class_in(module: ModuleType, name: str, command: str) -> type[ClientCommand]:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type) or not issubclass(found, ClientCommand):
        raise CommandFailed(f"The file of the command {command!r} has no class {name!r} that is a `ClientCommand`.")
    return found


def _stand_in(name: str, description: str) -> Any:
    """In place of the flow's method, which is elsewhere."""

    def method(*args: Any, **kwargs: Any) -> Any:
        raise CommandFailed(f"The method of the command {name!r} is in the app: call invoke_handler.")

    method.__doc__ = description
    return method
