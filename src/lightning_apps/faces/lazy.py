"""Names of a face that are loaded when they are first asked for.  Knows no face."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec

from ..finder import ALIASES, HOW_TO_GET, STANDALONE, TRAINING, TRAINING_NAMES


def submodules(package: str, **elsewhere: str) -> Callable[[str], object]:
    """A module `__getattr__` that imports `package.name`, so that `L.app.storage.Drive` needs no import of its own.

    Args:
        elsewhere: names, and the module of ours that each is in, which may need a package that is not installed.
    """

    def load(name: str) -> object:
        if name in elsewhere:
            return getattr(import_module(elsewhere[name]), name)
        if not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load


def elsewhere(package: str, names: Mapping[str, str]) -> Callable[[str], object]:
    """A module `__getattr__` for parts, and for `names` with the modules they are in, each imported when it is first asked for."""
    part = submodules(package)

    def load(name: str) -> object:
        return getattr(import_module(names[name]), name) if name in names else part(name)

    return load


def top_level(names: Sequence[str]) -> Callable[[str], object]:
    """The `__getattr__` of `lightning`: `names` of `lightning.app`, its parts, then what the training library has."""

    def load(name: str) -> object:
        if name == "__all__":
            return sorted({*names, *_training_exports()})
        if name in names:
            return getattr(import_module("lightning.app"), name)  # not kept: tests put another LightningApp there
        if name == "app" or (f"lightning.{name}" in ALIASES and find_spec(f"lightning.app.{name}") is not None):
            return import_module(f"lightning.{name}")
        if name.startswith("_"):
            raise AttributeError(f"module 'lightning' has no attribute {name!r}")
        return _keep(name, _from_training(name))

    return load


def training_version() -> str | None:
    """The training library's version where it is installed: its users compare `lightning.__version__`."""
    if find_spec("lightning.__version__") is None:
        return None
    version = getattr(import_module("lightning.__version__"), "version", None)
    return version if isinstance(version, str) else None


def _keep(name: str, value: object) -> object:
    setattr(sys.modules["lightning"], name, value)
    return value


def _from_training(name: str) -> object:
    if f"lightning.{name}" in STANDALONE:
        return import_module(f"lightning.{name}")
    if find_spec(TRAINING) is not None:
        return _executed(name)
    source = TRAINING_NAMES.get(name)
    if source is None:
        raise AttributeError(f"module 'lightning' has no attribute {name!r}")
    if find_spec(source) is None:
        raise AttributeError(f"`lightning.{name}` {HOW_TO_GET}.")
    return getattr(import_module(source), name)


def _executed(name: str) -> object:
    try:
        module = import_module(TRAINING)
    except ImportError as error:
        if name in TRAINING_NAMES:
            raise
        raise AttributeError(f"module 'lightning' has no attribute {name!r} ({error})") from error
    found = vars(sys.modules["lightning"])  # its `__init__` also loads submodules, which become ours
    if hasattr(module, name) or name not in found:
        return getattr(module, name)
    return found[name]


def _training_exports() -> list[str]:
    if find_spec(TRAINING) is None:
        return []
    return list(getattr(import_module(TRAINING), "__all__", ()))
