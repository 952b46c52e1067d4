"""`python -m lightning_apps.worker.spawned`: a worker in a fresh interpreter; its order is its standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import msgspec

from ..base import settings
from ..base.errors import UsageError
from ..engines import process_tree
from ..host.loader import load_app
from ..model.component import Component
from ..ports import Placement
from .lookup import find_placed
from .placed import main as be_placed
from .surroundings import LOAD_LOG, forbid_breakpoints, output_to, redirect

Main = Callable[[Placement, "Component | None"], NoReturn]


def main(order: Placement, run: Main) -> NoReturn:
    """Load the app file if there is one, find the work, and be its worker."""
    process_tree.become_subreaper()
    redirect("", "")
    forbid_breakpoints()
    if order.cwd:
        os.chdir(order.cwd)
    try:
        component = load_component(order)
    except UsageError as error:
        sys.exit(f"{order.work} could not be started: {error}")
    run(order, component)


def load_component(order: Placement) -> Component | None:
    """The work, or the flow of a frontend, by name from the tree of the app file; None where that has none, or there is no file."""
    if not order.app_file:
        return None
    with output_to(os.path.join(os.path.dirname(order.err), LOAD_LOG) if order.err else os.devnull):
        app = load_app(order.app_file, order.argv)
    return find_placed(app, order)


def read_order() -> Placement:
    """The order on standard input; its variables are in the environment already."""
    return msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Placement)


if __name__ == "__main__":
    received = read_order()
    settings.export(received.env)
    main(received, be_placed)
