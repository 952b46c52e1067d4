"""Takes back what the flow's side did in a turn that failed: state, children, calls.  Knows nothing of why it failed.

Everything is noted when it is done, at the cost of what changed, and taken back in reverse order.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from ..base.messages import DELETE, SET, SPLICE
from ..base.values import GONE, TRACKED, exchange, opaque, release
from ..model.component import Component
from ..model.containers import Dict, List, Structure
from .calls import AT_ONCE, Call
from .life import Life

Path = tuple[Any, ...]
OF_LIFE = (
    "place",
    "placements",
    "phase",
    "ready",
    "released",
    "idle_since",
    "base",
    "bare",
)  # what making a call changes


class Undo:
    """What was done since `begin`.

    Args:
        places: the works by the place where each is.
    """

    def __init__(self, places: dict[str, Life]) -> None:
        self._places = places
        self._steps: list[Callable[[], None]] = []
        self._touched: set[int] = set()

    def begin(self) -> None:
        """What was done so far stands."""
        self._steps, self._touched = [], set()

    def changed(self, component: Component, path: Path, op: int, value: Any, old: Any, life: Life | None) -> None:
        """A path took a value; `old` is what was there before (of a splice: the items that were removed)."""

        def step() -> None:
            _restore(component, path, op, value, old)
            if life is not None:
                life.mirror.unnote()

        self._steps.append(step)

    def opening(self, life: Life, key: str) -> None:
        """A call is about to be made: what that may change, at a cost that does not depend on how many calls there are."""
        table = life.calls
        if (call := table.by_key.get(key)) is not None:  # it changes its place among them
            self.later(_keeper(call))
            return self.touching(life)
        value, first = table.finished.get(key, GONE), table.queue[0] if table.queue else None
        oldest = list(islice(table.by_key.values(), AT_ONCE))  # whose details may be forgotten
        of_life = [getattr(life, name) for name in OF_LIFE]
        of_table = table.active, table.latest, table.ordinals, table.attempts
        sent = None if first is None else (first.attempt, first.sent)

        def step() -> None:
            if life.place != of_life[0]:
                self._places.pop(life.place, None)
            for name, former in zip(OF_LIFE, of_life, strict=True):
                setattr(life, name, former)
            table.active, table.latest, table.ordinals, table.attempts = of_table
            table.take_back(key, oldest, first)
            if first is not None and sent is not None:
                first.attempt, first.sent = sent
            if value is not GONE:
                table.finished[key] = value

        return self.later(step)

    def touching(self, life: Life) -> None:
        """A work's life is about to change."""
        if id(life) in self._touched:
            return
        self._touched.add(id(life))
        table = life.calls
        calls = [*table.unsettled(), *([table.latest] if table.latest is not None else [])]
        kept = [_keeper(call) for call in calls]
        of_life, of_table = _copied(life, ("work", "calls", "mirror")), _copied(table, ("finished",))
        deleted = life.work._lit_deleted

        def step() -> None:
            if life.place != of_life["place"]:
                self._places.pop(life.place, None)
            vars(life).update(of_life)
            vars(table).update(of_table)
            for key in table.by_key:
                table.finished.pop(key, None)
            life.work._lit_deleted = deleted
            for keep in kept:
                keep()

        self.later(step)

    def later(self, step: Callable[[], None]) -> None:
        """Do this when it is taken back."""
        self._steps.append(step)

    def take_back(self) -> None:
        """Everything is as it was at `begin`."""
        steps, self._steps, self._touched = self._steps, [], set()
        for step in reversed(steps):
            step()


def _copied(thing: Any, without: tuple[str, ...]) -> dict[str, Any]:
    """Its attributes, containers as shallow copies."""
    found = {name: value for name, value in vars(thing).items() if name not in without}
    return {name: value.copy() if hasattr(value, "copy") else value for name, value in found.items()}


def _keeper(call: Call) -> Callable[[], None]:
    values = {name: getattr(call, name) for name in call.__struct_fields__}

    def keep() -> None:
        for name, value in values.items():
            setattr(call, name, value)

    return keep


# state ----------------------------------------------------------------------------------------------------


def _restore(component: Component, path: Path, op: int, value: Any, old: Any) -> None:
    if len(path) == 1 and op in (SET, DELETE):
        _restore_attribute(component, path[0], old)
    else:
        holder: Any = component.__dict__
        for key in path[:-1] if op in (SET, DELETE) else path:
            holder = dict.get(holder, key) if isinstance(holder, dict) else list.__getitem__(holder, key)
        _restore_inside(holder, path[-1], op, value, old)
    name = path[0]
    if opaque(component.__dict__.get(name)):
        component._lit_opaque.add(name)
    else:
        component._lit_opaque.discard(name)


def _restore_attribute(component: Component, name: str, old: Any) -> None:
    release(component.__dict__.pop(name, None))
    component._lit_children.pop(name, None)
    component._lit_state.pop(name, None)
    if old is not GONE and not isinstance(old, (Component, Structure)):
        component._lit_state[name] = None
        component.__dict__[name] = _own(old, component, name)


def _restore_inside(holder: Any, key: Any, op: int, value: Any, old: Any) -> None:
    if op in (SET, DELETE):
        release(dict.pop(holder, key, None))
        if old is not GONE:
            dict.__setitem__(holder, key, _own(old, holder, key))
    elif op == SPLICE:
        index, _, inserted = value
        where = slice(index, index + len(inserted))
        for item in list.__getitem__(holder, where):
            release(item)
        exchange(holder, index, index + len(inserted), [_own(item, holder, index + n) for n, item in enumerate(old)])
    else:
        added, removed = value
        set.difference_update(holder, added)
        set.update(holder, removed)


def _own(value: Any, up: Any, key: Any) -> Any:
    """A container that was let go of is its holder's again."""
    if type(value) in TRACKED:
        value._up, value._key = up, key
    return value


# children -------------------------------------------------------------------------------------------------


def hang_again(child: Component, parent: Any, key: str, index: int) -> None:
    """A component that left `parent` is there again, in a list at `index`."""
    child._lit_parent, child._lit_key = parent, key
    if isinstance(parent, List):
        if not any(item is child for item in list.__iter__(parent)):
            list.insert(parent, index, child)
    elif isinstance(parent, Dict):
        dict.__setitem__(parent, key, child)
    else:
        parent._lit_children[key] = parent.__dict__[key] = child


def hang_structure_again(structure: Structure, flow: Component, key: str) -> None:
    """A structure that was dropped with its elements is its flow's again."""
    structure._lit_parent, structure._lit_key = flow, key
    flow._lit_children[key] = flow.__dict__[key] = structure


def put_structure_back(flow: Component, key: str, before: Any) -> None:
    """What an attribute held before a structure came or went."""
    if isinstance(before, Structure):
        hang_structure_again(before, flow, key)
    else:
        flow._lit_children.pop(key, None)
        flow.__dict__.pop(key, None)


def take_off(child: Component) -> None:
    """A component that came into the tree is nowhere any more."""
    parent, key = child._lit_parent, child._lit_key
    if isinstance(parent, List):
        kept = [item for item in list.__iter__(parent) if item is not child]
        list.__setitem__(parent, slice(None), kept)
        parent._lit_next -= 1
    elif isinstance(parent, Dict):
        if dict.get(parent, key) is child:
            dict.__delitem__(parent, key)
    elif parent is not None and parent._lit_children.get(key) is child:
        del parent._lit_children[key]
        parent.__dict__.pop(key, None)
    child._lit_parent, child._lit_name = None, ""
