"""Where the app of a test comes from: an object, something that makes one, or a file.  Runs nothing of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ..base.errors import KitError
from ..host.loader import loaded_app
from ..model.app import LightningApp
from ..model.flow import LightningFlow
from ..model.work import LightningWork


class Origin:
    """Makes the app, once for each host.

    Args:
        source: a LightningApp, a root flow or a work; or a class or function that makes one; or the path of an app file.
        argv: arguments of the file.
    """

    def __init__(self, source: Any, argv: Sequence[str] = ()) -> None:
        self._source, self._argv, self._used = source, argv, False
        self._file = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
        self._main: Surroundings | None = None

    def make(self) -> LightningApp:
        """The app, as a new process would have it.

        Raises:
            KitError: it was given as an object, and that has been used.
            AppLoadError: see `host.loader`.
        """
        if self._file:
            with loaded_app(self._file, self._argv) as app:
                self._main = Surroundings(self._file)
            return app
        if makes_one_only(self._source):
            return self._only_once()
        if not callable(self._source):
            kind = type(self._source).__name__
            raise KitError(f"An app, a flow, something that makes one, or a path was expected, not {kind}.")
        return _app(self._source())

    def _only_once(self) -> LightningApp:
        if self._used:
            kind = type(self._source).__name__
            raise KitError(
                f"A later host needs the app as new, and the {kind} that was given is used already: "
                f"give what makes it, as `AppTest({kind})` or `AppTest(lambda: {kind}(…))`."
            )
        self._used = True
        return _app(self._source)

    @contextmanager
    def present(self) -> Iterator[None]:
        """While code of the app runs: an app file is `__main__` then."""
        if self._main is None:
            yield
            return
        with self._main.present():
            yield


class Surroundings:
    """What an app file finds in `sys`, taken down while it is there.

    Args:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        self._folder = os.path.dirname(os.path.realpath(path)) + os.sep
        self._main, self._argv, self._path = sys.modules["__main__"], sys.argv, list(sys.path)
        self._modules = self._own_modules()
        self._inside = False

    def _own_modules(self) -> dict[str, ModuleType]:
        found = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if name != "__main__" and file.startswith(self._folder) and f"{os.sep}site-packages{os.sep}" not in file:
                found[name] = module
        return found

    @contextmanager
    def present(self) -> Iterator[None]:
        """All of it is there; what was there before is put back."""
        if self._inside:
            yield
            return
        main, argv, path, known = sys.modules["__main__"], sys.argv, list(sys.path), self._own_modules()
        sys.modules.update(self._modules)
        sys.modules["__main__"], sys.argv, sys.path[:] = self._main, self._argv, self._path
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            self._modules = self._own_modules()
            self._path, self._argv = list(sys.path), sys.argv
            for name in self._modules:
                del sys.modules[name]
            sys.modules.update(known)
            sys.modules["__main__"], sys.argv, sys.path[:] = main, argv, path


def makes_one_only(source: Any) -> bool:
    """Whether this is an app or its root itself, and not what makes it."""
    return isinstance(source, (LightningApp, LightningFlow, LightningWork))


def _app(made: Any) -> LightningApp:
    return made if isinstance(made, LightningApp) else LightningApp(made)


Make = Callable[[], LightningApp]
