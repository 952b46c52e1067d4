"""What the tree has become since the app file built it: which components came while the app ran, which went, and their state.

Knows nothing of calls or processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from weakref import ref

from ..base.messages import DELETE, SET, Change
from ..model.component import Component
from ..model.containers import Dict, List, Structure
from ..model.flow import LightningFlow
from .made import made, make_again

STRUCTURES: dict[str, type[Structure]] = {"List": List, "Dict": Dict}


class Lineage:
    """Remembers how each component came.

    Args:
        tree: the components by name, as they are now.
    """

    def __init__(self, tree: dict[str, Component]) -> None:
        self._tree = tree
        self._known: dict[str, tuple[str, ...]] = {}
        self._held: dict[str, frozenset[str]] = {}  # attributes that held components
        self._came: dict[str, ref[Component]] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def knows(self, component: Component) -> None:
        """A component is in the tree, with the attributes that its `__init__` has set."""
        names = tuple(component._lit_state)
        self._known[component.name] = self._names.setdefault(names, names)
        self._held[component.name] = frozenset(component._lit_children)

    def known(self, name: str) -> tuple[str, ...]:
        """The attributes that the code of this component sets."""
        return self._known.get(name, ())

    def held(self, name: str) -> frozenset[str]:
        """The attributes that hold components when the code has set them; they may be values later."""
        return self._held.get(name, frozenset())

    def came(self, components: Iterable[Component]) -> None:
        """Components came while the app runs, parents first."""
        for component in components:
            self._came.pop(component.name, None)
            self._came[component.name] = ref(component)

    def is_new(self, component: Component) -> bool:
        """Whether it came while the app runs, so that no other execution of the app file builds it."""
        came = self._came.get(component.name)
        return came is not None and came() is component

    def dump(self) -> dict[str, Any]:
        """Everything there is to remember; the states are not copies."""
        here = [self._tree[name] for name, came in self._came.items() if self._tree.get(name, self) is came()]
        return {
            "made": [[*made(component)[:-1], {}] for component in here],
            "gone": [name for name in self._known if name not in self._tree],
            "structures": list(_structures(self._tree)),
            "state": {name: [each._lit_values(), self._deleted(name, each)] for name, each in self._tree.items()},
        }

    def _deleted(self, name: str, component: Component) -> list[str]:
        return [attribute for attribute in self._known[name] if attribute not in component._lit_state]

    def load(self, root: LightningFlow, dumped: dict[str, Any]) -> None:
        """Make the tree of a freshly built app what `dump` was given.

        Raises:
            StateMismatch: a component that was made while the app ran cannot be made again.
        """
        replaced = {entry[1] for entry in dumped["made"]} & set(self._tree)
        for name in [*dumped["gone"], *replaced]:
            self.remove(name)
        for entry in dumped["made"]:
            make_again(root, entry)
        for name in dumped["gone"]:  # what a component that was made again came with, and had lost
            self.remove(name)
        for flow, attribute, kind, following, keys in dumped["structures"]:
            if flow in self._tree:
                _arrange(self._tree[flow], attribute, kind, following, keys)
        for name, (values, deleted) in dumped["state"].items():
            if name in self._tree:
                _fill(self._tree[name], values, deleted)

    def arrange(self, flow: Any, attribute: str, kind: str) -> None:
        """Have a structure there as the flow did, or none ("")."""
        if isinstance(flow._lit_children.get(attribute), Structure):
            flow._lit_drop_child(attribute)
        if kind:
            flow._lit_state.pop(attribute, None)
            flow.__dict__.pop(attribute, None)
            flow._lit_hang(attribute, STRUCTURES[kind]())

    def remove(self, name: str) -> None:
        """Let a component go as its flow did."""
        component = self._tree.get(name)
        parent = component._lit_parent if component is not None else None
        if component is None or parent is None:
            return
        if isinstance(parent, List):
            parent.remove(component)
        elif isinstance(parent, Dict):
            del parent[component._lit_key]
        else:
            parent._lit_drop_child(component._lit_key)


def _fill(component: Component, values: dict[str, Any], deleted: list[str]) -> None:
    """Give a component its state; what it has got since (its class was edited) stays as it is."""
    for attribute in deleted:
        if attribute in component._lit_state:
            component._lit_apply(Change((attribute,), DELETE))
    for attribute, value in values.items():
        component._lit_apply(Change((attribute,), SET, value))


def _structures(tree: dict[str, Component]) -> Iterator[list[Any]]:
    """Each structure: its flow, attribute and kind, the number of its next element, and its keys in order."""
    for name, flow in tree.items():
        for attribute, child in flow._lit_children.items():
            if isinstance(child, Structure):
                keys = [key for key, _ in child._lit_items()]
                yield [name, attribute, type(child).__name__, getattr(child, "_lit_next", 0), keys]


def _arrange(flow: Any, attribute: str, kind: str, following: int, keys: list[str]) -> None:
    """Elements in their former order; those that the file has got since come last."""
    structure = flow._lit_children.get(attribute)
    if structure is None:
        flow._lit_state.pop(attribute, None)
        setattr(flow, attribute, structure := STRUCTURES[kind]())
    rank = {key: n for n, key in enumerate(keys)}
    if isinstance(structure, List):
        list.sort(structure, key=lambda item: rank.get(item._lit_key, len(rank)))
        structure._lit_next = max(structure._lit_next, following)
    elif isinstance(structure, Dict):
        items = sorted(dict.items(structure), key=lambda pair: rank.get(pair[0], len(rank)))
        dict.clear(structure)
        dict.update(structure, items)
