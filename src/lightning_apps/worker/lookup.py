"""Finds what an order is about in the tree that the app file built.  Knows nothing of processes."""

from __future__ import annotations

from typing import Any

from ..model.component import Component
from ..model.flow import LightningFlow
from ..model.work import LightningWork
from ..ports import Placement


def find_work(app: Any, name: str) -> LightningWork | None:
    """The work of this name, None if the tree of the app file has none."""
    found = _find(app, name)
    return found if isinstance(found, LightningWork) else None


def find_placed(app: Any, order: Placement) -> Component | None:
    """The work that is placed, or the flow whose frontend is; None if the tree of the app file has none."""
    if not order.page:
        return find_work(app, order.work)
    found = _find(app, order.work)
    return found if isinstance(found, LightningFlow) else None


def _find(app: Any, name: str) -> Any:
    try:
        return app.get_component_by_name(name)
    except (AttributeError, ValueError, LookupError):
        return None
