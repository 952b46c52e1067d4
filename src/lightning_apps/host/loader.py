"""Turns an app file into its LightningApp by executing it as `__main__`.  Knows nothing of processes or engines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import TypeGuard

from ..base.errors import AppLoadError
from ..model.app import AppFound, LightningApp
from . import load_failures as failures
from .main_file import LOADED


def load_app(path: str, argv: Sequence[str] = ()) -> LightningApp:
    """Execute the file at `path` as `__main__`, as `python path *argv` would, and return the one app it builds.

    The process is the app's from then on: `sys.modules["__main__"]`, `sys.argv` and `sys.path` stay as the file
    needs them.  Classes defined in the file are `__main__.X`, so that their pickles resolve in every process that
    has loaded it.  An app whose `run()` the file calls is the one, and ends the execution of the file.

    Args:
        path: the app file.
        argv: the app's own arguments.

    Raises:
        AppLoadError: there is no such file, it fails, or it does not build exactly one app; says so for the terminal.
        SystemExit: the file called `sys.exit`.
    """
    find_file(path)
    code = _compiled(path)
    module = _become_main(path, argv)
    return _execute(code, module, path) or _only_app(vars(module), path)


@contextmanager
def loaded_app(path: str, argv: Sequence[str] = ()) -> Iterator[LightningApp]:
    """`load_app` for a process that goes on being something else: what the load changed in `sys` is put back."""
    main, arguments, search, known = sys.modules.get("__main__"), sys.argv, list(sys.path), set(sys.modules)
    try:
        yield load_app(path, argv)
    finally:
        sys.argv, sys.path[:] = arguments, search
        _forget_modules_of(_folder(path), known)
        if main is not None:
            sys.modules["__main__"] = main


def find_file(path: str) -> None:
    """Check that `path` is a Python file, before anything is started for it.

    Raises:
        AppLoadError: it is not; the sentence says what it is instead, or which files it could have meant.
    """
    if os.path.isdir(path):
        raise AppLoadError(f"`{path}` is a folder: name the Python file in it that builds the app.")
    if not os.path.exists(path):
        raise failures.missing_file(path)
    if not os.path.isfile(path) or os.path.splitext(path)[1] not in ("", ".py"):
        raise AppLoadError(f"`{path}` is not a Python file: name the `.py` file that builds the app.")


def _compiled(path: str) -> CodeType:
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise AppLoadError(f"`{path}` cannot be read: {error.strerror}.") from None
    try:
        return compile(source, os.path.abspath(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise failures.not_python(error, path) from None


def _become_main(path: str, argv: Sequence[str]) -> ModuleType:
    """An empty `__main__` in the surroundings that `python path *argv` gives."""
    full = os.path.abspath(path)
    module = ModuleType("__main__")
    module.__file__ = full
    module.__loader__ = SourceFileLoader("__main__", full)
    vars(module).update({"__builtins__": sys.modules["builtins"], "__cached__": None, LOADED: True})
    sys.modules["__main__"] = module
    sys.argv = [path, *argv]
    sys.path.insert(0, _folder(path))
    return module


def _execute(code: CodeType, module: ModuleType, path: str) -> LightningApp | None:
    """Run the file; the app whose `run()` it called, if it did."""
    LightningApp.loading = True
    try:
        exec(code, vars(module))
    except AppFound as found:
        return found.app
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise failures.explain(error, path) from None
    finally:
        LightningApp.loading = False
    return None


def _only_app(names: dict[str, object], path: str) -> LightningApp:
    """The one app among the file's global names; one that has two names counts once."""
    apps = {id(value): value for value in names.values() if _is_app(value)}
    if not apps:
        raise failures.no_app(path, names)
    if len(apps) > 1:
        first = {id(value): name for name, value in reversed(names.items()) if id(value) in apps}
        raise failures.several_apps(path, [first[each] for each in apps])
    return next(iter(apps.values()))


def _is_app(value: object) -> TypeGuard[LightningApp]:
    """Not `isinstance`, which asks the value itself: proxies for objects of a web request raise then."""
    return issubclass(type(value), LightningApp)


def _folder(path: str) -> str:
    return os.path.dirname(os.path.realpath(path))


def _forget_modules_of(folder: str, known: set[str]) -> None:
    """Drop modules that were imported from the app's folder, as the next app may have others of the same names."""
    for name in set(sys.modules) - known:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(folder + os.sep) and f"{os.sep}site-packages{os.sep}" not in file:
            del sys.modules[name]
