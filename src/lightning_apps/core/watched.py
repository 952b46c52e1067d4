"""Values that change without telling us: compared by their encoding, up to 64 KiB; lists of flows by what they have told, as
C code may write to them past their methods.  Knows nothing of turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..base.encoding import decode, encode
from ..base.messages import SET, Change
from ..base.values import TrackedList, take_back_untold, untold, watch
from ..model.component import Component
from ..model.flow import LightningFlow

LIMIT = 65536  # bytes up to which values are compared
TOO_BIG = b"\xc1"  # in the place of a longer encoding; never a valid one
Moved = Callable[[Component, tuple[Any, ...], int, Any, Any], None]


class Watched:
    """What is known of each such value.

    Args:
        tree: the components by name, as they are now.
    """

    def __init__(self, tree: Mapping[str, Component]) -> None:
        self._tree = tree
        self._known: dict[tuple[str, str], bytes] = {}
        self._flows: dict[str, LightningFlow] = {}

    def add(self, component: Component) -> None:
        """A component is in the tree: what its values are is found out at the next look."""
        self._known.update({(component.name, attribute): b"" for attribute in component._lit_opaque})
        for items in lists_of(component):
            watch(items)
        if isinstance(component, LightningFlow):
            self._flows[component.name] = component

    def knows(self, component: Component, attribute: str) -> None:
        """What is there now is known: from here on only what happens inside is news."""
        data = encode(component.__dict__.get(attribute))
        self._known[component.name, attribute] = data if len(data) <= LIMIT else TOO_BIG

    def way_back(self, name: str, attribute: str) -> Callable[[], None]:
        """Makes known what is known now."""
        known = self._known.get((name, attribute), b"")
        return lambda: self._known.__setitem__((name, attribute), known)

    def look(self, moved: Moved) -> None:
        """Call `moved` for whatever is another value than the one that is known."""
        for (name, attribute), known in list(self._known.items()):
            component = self._tree.get(name)
            if component is None or attribute not in component._lit_opaque:
                del self._known[name, attribute]
                continue
            if known == TOO_BIG:
                continue
            value = component.__dict__.get(attribute)
            data = encode(value)
            if known and data != known:
                moved(component, (attribute,), SET, value, value)
            self._known[name, attribute] = data if len(data) <= LIMIT else TOO_BIG
        if any(flow._lit_lists for flow in self._flows.values()):
            self._look_at_lists(moved)

    def _look_at_lists(self, moved: Moved) -> None:
        for name, flow in list(self._flows.items()):
            if self._tree.get(name) is not flow:
                del self._flows[name]
                continue
            for attribute in flow._lit_lists:
                value = flow.__dict__.get(attribute)
                if type(value) is TrackedList and untold(value):
                    flow._lit_watch(attribute, value)
                    moved(flow, (attribute,), SET, value, value)

    def take_back_untold(self) -> None:
        """Lists are what they have told, so that what was told can be taken back."""
        for flow in self._flows.values():
            for items in lists_of(flow):
                take_back_untold(items)

    def take_back(self) -> None:
        """What changed without telling us is what is known of it."""
        for (name, attribute), known in list(self._known.items()):
            component = self._tree.get(name)
            if component is None or attribute not in component._lit_opaque:
                del self._known[name, attribute]
            elif known not in (b"", TOO_BIG) and encode(component.__dict__.get(attribute)) != known:
                component._lit_apply(Change((attribute,), SET, decode(known)))


def lists_of(component: Component) -> list[TrackedList]:
    """The attributes that are lists."""
    values = (component.__dict__.get(attribute) for attribute in component._lit_lists)
    return [value for value in values if type(value) is TrackedList]
