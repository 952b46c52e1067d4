"""Finds a work in the tree that the app file built.  Knows nothing of processes."""

from __future__ import annotations

from typing import Any

from ..model.work import LightningWork


def find_work(app: Any, name: str) -> LightningWork | None:
    """The work of this name, None if the tree of the app file has none."""
    try:
        found = app.get_component_by_name(name)
    except (AttributeError, ValueError, LookupError):
        return None
    return found if isinstance(found, LightningWork) else None
