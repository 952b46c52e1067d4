"""What a process that was placed becomes: the worker of a work, or the server of a frontend."""

from __future__ import annotations

from typing import NoReturn

from ..model.component import Component
from ..model.flow import LightningFlow
from ..model.work import LightningWork
from ..ports import Placement
from . import page, process


def main(order: Placement, component: Component | None) -> NoReturn:
    """Be it until told to end.

    Args:
        component: the work, or the flow of the frontend, from the tree that this process's own execution of the app file built.
    """
    if order.page:
        page.main(order, component if isinstance(component, LightningFlow) else None)
    process.main(order, component if isinstance(component, LightningWork) else None)
