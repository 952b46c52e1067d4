"""What the shipped frontends share: what they need installed, where they listen, and how they begin and end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from abc import abstractmethod
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, ClassVar

import msgspec

from ..base.errors import MissingExtra, WrongPlace
from ..model.layout import Frontend

__all__ = ["Frontend", "Listen", "ShippedFrontend", "missing"]

GOODBYE = 5.0  # seconds between SIGTERM and SIGKILL


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where a frontend is to be served.

    Attributes:
        base: the path before all of its paths, as browsers see it, such as "/f/root.page"; no slash at the end.
        path: of a Unix socket; "": on `host` and `port` instead.
        state: gives the flow's state, as the functions that draw a page want it.
    """

    base: str = ""
    path: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    state: Callable[[], Any] = dict

    def bind(self) -> socket.socket:
        """A socket that is bound there."""
        if not self.path:
            return socket.create_server((self.host, self.port), backlog=512)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        return listener


class ShippedFrontend(Frontend):
    """A frontend that this framework serves, in a process of its own.

    Attributes:
        needs: the packages that have to be installed to serve it.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    _process: Any = None

    @abstractmethod
    def serve(self, listen: Listen) -> None:
        """Serve in this very process until SIGTERM."""

    def start_server(self, host: str, port: int, root_path: str = "") -> None:
        """Start serving under `http://host:port{root_path}/{flow.name}`; returns at once.

        Raises:
            MissingExtra: a package it needs is not installed.
        """
        if sentence := missing(self):
            raise MissingExtra(sentence)
        import multiprocessing

        name = getattr(self.flow, "name", "")
        listen = Listen(base=root_path.rstrip("/") + (f"/{name}" if name else ""), host=host, port=port)
        context: Any = multiprocessing.get_context("fork")  # what it draws with need not be picklable
        self._process = context.Process(target=_serve_alone, args=(self, listen), daemon=True)
        self._process.start()

    def stop_server(self) -> None:
        """Stop what `start_server` started.

        Raises:
            WrongPlace: (RuntimeError) it was not started.
        """
        if self._process is None:
            name = type(self).__name__
            raise WrongPlace(f"Server is not running. Call `{name}.start_server()` first.")
        self._process.terminate()
        self._process.join(GOODBYE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the process, which is this one's child."""
        return {name: value for name, value in self.__dict__.items() if name != "_process"}

    @property
    def served_here(self) -> bool:
        """Whether `serve` is how it is served, and not a `start_server` that a subclass brings."""
        return type(self).start_server is ShippedFrontend.start_server


def missing(frontend: Frontend) -> str:
    """What to install so that this frontend can be served, as a sentence; "" if all is there."""
    if isinstance(frontend, ShippedFrontend):
        absent = [package for package in frontend.needs if find_spec(package) is None]
        if absent:
            name = type(frontend).__name__
            return f"{name} needs a package that is not installed: pip install {' '.join(absent)}"
    return ""


def _serve_alone(frontend: ShippedFrontend, listen: Listen) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    frontend.serve(listen)
