"""The components of an app, by name: how they come into the tree and leave it, and back.  Knows nothing of calls or events."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..model.binding import DEPARTED, Binding
from ..model.component import Component
from ..model.flow import LightningFlow
from ..model.work import LightningWork
from .crew import Crew
from .ledger import Ledger
from .lineage import Lineage
from .made import made
from .timers import Schedules
from .undo import Undo, hang_again, hang_structure_again, put_structure_back, take_off
from .watched import Watched


class Members:
    """Who is in the tree.

    Args:
        tree: the components by name, kept up to date here.
    """

    def __init__(
        self, tree: dict[str, Component], crew: Crew, ledger: Ledger, undo: Undo, watched: Watched, schedules: Schedules
    ) -> None:
        self.lineage = Lineage(tree)
        self._tree, self._crew, self._ledger, self._undo = tree, crew, ledger, undo
        self._watched, self._schedules = watched, schedules
        self._flows: dict[str, LightningFlow] = {}

    def flows(self) -> Iterable[LightningFlow]:
        """Those that are in the tree now."""
        self._flows = {name: flow for name, flow in self._flows.items() if self._tree.get(name) is flow}
        return self._flows.values()

    def adopt(self, component: Component, binding: Binding) -> None:
        """A component is in the tree: it talks to `binding` from now on."""
        name = component.name
        component._lit_name, component._lit_binding = name, binding
        self._tree[name] = component
        self.lineage.knows(component)
        self._watched.add(component)
        if isinstance(component, LightningFlow):
            self._flows[name] = component
        elif isinstance(component, LightningWork):
            self._crew.hire(component)

    def come(self, child: Component, binding: Binding) -> None:
        """A component made while the app runs came into the tree, with everything below it."""
        came = list(child._lit_walk())
        departed = {component.name: self._crew.departed(component.name) for component in came}
        self._undo.later(lambda: self._expel(child, came, departed))
        self.lineage.came(came)
        for component in came:
            self.adopt(component, binding)
        for entry in map(made, came):
            self._ledger.record.done.append(entry)
            self._ledger.shown.came(entry[1], entry[-1][entry[1]])

    def go(self, child: Component) -> None:
        """A component left the tree, with everything below it."""
        self._undo.later(self._way_back(child))
        self._ledger.record.done.append(["gone", child.name])
        self._ledger.shown.went(child.name)
        for component in list(child._lit_walk()):
            self._tree.pop(component.name, None)
            self._schedules.drop(component.name)
            if isinstance(component, LightningWork):
                self._crew.dismiss(component)
            component._lit_binding, component._lit_name = DEPARTED, ""

    def arrange(self, flow: Component, name: str, kind: str) -> None:
        """An attribute of a flow is about to hold a structure, or its structure no more ("")."""
        before = flow._lit_children.get(name)
        self._undo.later(lambda: put_structure_back(flow, name, before))
        self._ledger.record.done.append(["structure", flow.name, name, kind])
        self._ledger.shown.arranged(flow.name, name, bool(kind))

    def _expel(self, child: Component, came: list[Component], departed: dict[str, int]) -> None:
        """Components that came did not come after all."""
        for component in came:
            name = component._lit_name
            self._tree.pop(name, None)
            if isinstance(component, LightningWork):
                self._crew.forget(name, departed[name])
            component._lit_binding, component._lit_name = DEPARTED, ""
        take_off(child)

    def _way_back(self, child: Component) -> Callable[[], None]:
        """Puts components that are about to leave where they are now."""
        parent, key, binding = child._lit_parent, child._lit_key, child._lit_binding
        index = (
            next((n for n, item in enumerate(list.__iter__(parent)) if item is child), 0)
            if isinstance(parent, list)
            else 0
        )
        flow = parent._lit_parent if not isinstance(parent, Component) else None
        there = [(component, component.name, self._crew.lives.get(component.name)) for component in child._lit_walk()]
        new = [component for component, _, _ in there if self.lineage.is_new(component)]

        def back() -> None:
            if flow is not None and flow._lit_children.get(parent._lit_key) is not parent:
                hang_structure_again(parent, flow, parent._lit_key)
            hang_again(child, parent, key, index)
            for component, name, life in there:
                component._lit_binding, component._lit_name, self._tree[name] = binding, name, component
                self._watched.add(component)
                if life is not None:
                    self._crew.rehire(name, life)
            self.lineage.came(new)

        return back
