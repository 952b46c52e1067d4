"""A work whose flow has written to it: the next read of an attribute first takes in what was written.

Nothing is paid for this while nothing waits: the object's class is exchanged for a subclass that intercepts reads, and back.
"""

from __future__ import annotations

from typing import Any

from ..model.work import LightningWork


def gated(kind: type[LightningWork]) -> type[LightningWork]:
    """A subclass of the same name that calls the binding's `settle_in` before the next attribute is read."""

    def read(self: Any, name: str) -> Any:
        if not name.startswith("_lit_"):
            object.__getattribute__(self, "_lit_binding").settle_in()
        return object.__getattribute__(self, name)

    body = {
        "__slots__": (),
        "__getattribute__": read,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
    }
    make: Any = type(kind)
    made: type[LightningWork] = make(kind.__name__, (kind,), body)
    return made
