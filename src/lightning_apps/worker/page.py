"""A frontend's process: finds the frontend, serves it, and ends with SIGTERM or with its parent.  Knows no host."""

from __future__ import annotations

import ctypes
import importlib
import inspect
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from ..base.encoding import decode
from ..base.errors import LightningError
from ..core.layouts import collect
from ..frontends.base import Listen, ShippedFrontend
from ..model.flow import LightningFlow
from ..model.layout import Frontend
from ..ports import PageOrder, Placement

PR_SET_PDEATHSIG = 1
HURRY = 4.0  # seconds after SIGTERM in which a frontend may still answer


class NoFrontend(LightningError):
    """The flow shows no frontend where it is served, or another one."""


def main(order: Placement, flow: LightningFlow | None) -> NoReturn:
    """Serve what the order says.

    Args:
        flow: the flow it belongs to, as the app file built it; None for one that was made later.
    """
    parent = os.getppid()
    _die_with_parent(parent)
    page = msgspec.msgpack.decode(order.page, type=PageOrder)
    frontend = find_frontend(order, page, flow)
    frontend.flow = flow if flow is not None else _Named(order.work)
    if isinstance(frontend, ShippedFrontend) and frontend.served_here:
        listen = Listen(base=page.base, path=page.path, host=page.host, port=page.port, state=state)
        frontend.serve(listen)
    else:
        serve_own(frontend, page)
    sys.exit(0)


def find_frontend(order: Placement, page: PageOrder, flow: LightningFlow | None) -> Frontend:
    """The frontend as it was when it was ordered.

    Raises:
        NoFrontend: it is neither to be unpickled nor shown by the flow.
    """
    if order.pickled is not None:
        found: Frontend = pickle.loads(order.pickled)
        return found
    if flow is not None:
        for name, value in decode(page.values).items():
            flow.__dict__[name] = flow._lit_keep(name, value)
        shown = collect(flow).frontend
        if shown is not None:
            return shown
    raise NoFrontend(
        f"What {order.work} shows cannot be pickled for its process, nor made again there: "
        "use functions of a module, or make it in `configure_layout` of a flow that the app file builds."
    )


def state() -> Any:
    """The app's state, as seen from the flow."""
    return importlib.import_module("lightning_apps.client.state").AppState()


def serve_own(frontend: Frontend, page: PageOrder) -> None:
    """Have a frontend serve that brings its own `start_server`, until SIGTERM."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: over.set())
    start: Callable[..., Any] = frontend.start_server
    parameters = inspect.signature(start).parameters.values()
    takes_root = any(each.name == "root_path" or each.kind is each.VAR_KEYWORD for each in parameters)
    start(page.host, page.port, **({"root_path": page.root_path} if takes_root else {}))
    while not over.wait(1.0):
        """A wait without an end would keep the handler from being called on some systems."""
    timer = threading.Timer(HURRY, os._exit, (0,))
    timer.daemon = True
    timer.start()
    frontend.stop_server()


class _Named:
    """Stands for a flow of which only the name is known here."""

    def __init__(self, name: str) -> None:
        self.name = name


def _die_with_parent(parent: int) -> None:
    """Whoever started us is gone: so is the app, or somebody starts us again."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)
