"""Collects what readers are told of a turn, at the cost of what changed.  Knows nothing of readers, and reads nothing back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..base.encoding import encode, encode_change
from ..base.messages import DELETE, Change
from ..base.published import Arranged, Came, Move, Part, Published, Went
from ..base.status import WorkStatus
from ..model.component import Component
from ..model.containers import Structure
from ..model.flow import LightningFlow
from ..model.work import LightningWork
from .crew import Crew

Path = tuple[Any, ...]


class Shown:
    """What the turn under way will be seen to have done.

    What the flow's side does is tentative until something else is added or the turn ends, as it may be taken back before.

    Args:
        tree: the components by name, as they are now.
    """

    def __init__(self, tree: Mapping[str, Component]) -> None:
        self._tree = tree
        self._tentative: list[tuple[Any, ...]] = []
        self._moves: list[Move] = []
        self._changes: dict[str, dict[str, Part | list[Part]]] = {}
        self._statuses: dict[str, tuple[WorkStatus, ...]] = {}  # as they were told last
        self._ready: bool | None = None
        self._told_ready: bool | None = None
        self._changed_at: dict[str, int] = {}  # turns in which components changed last, since `whole`
        self._since = 0

    # -- the flow's side -----------------------------------------------------------------------------------

    def did(self, name: str, path: Path, op: int, data: bytes) -> None:
        """The flow's side changed this path of a component; `data` is the change, encoded."""
        self._tentative.append((name, path[0], op <= DELETE and len(path) == 1, data))

    def came(self, name: str, values: bytes) -> None:
        """A component came into the tree."""
        self._tentative.append((name, values))

    def went(self, name: str) -> None:
        """A component left the tree."""
        self._tentative.append((name,))

    def arranged(self, flow: str, key: str, there: bool) -> None:
        """A structure of a flow came, or went."""
        self._tentative.append((flow, key, there))

    def mark(self) -> int:
        """How far it is, for `back_to`."""
        return len(self._tentative)

    def back_to(self, mark: int) -> None:
        """What was done since `mark` was not."""
        del self._tentative[mark:]

    # -- what came in --------------------------------------------------------------------------------------

    def said(self, work: Component, changes: Iterable[Change]) -> None:
        """A work's own changes, as they were applied."""
        if self._tentative:
            self._settle()
        parts, opaque = self._changes.setdefault(work.name, {}), work._lit_opaque
        for change in changes:
            path, op = change.path, change.op
            name, alone = path[0], op <= DELETE and len(path) == 1
            if name in opaque:  # it may change while others read it
                _add(parts, name, alone, encode_change(path, op, change.value))
            elif alone:
                parts[name] = change
            else:
                _add(parts, name, False, change)

    def showed(self, name: str, attribute: str, data: bytes) -> None:
        """An attribute that is output only has another value now."""
        self._settle()
        _add(self._changes.setdefault(name, {}), attribute, True, data)

    def ready(self, ready: bool) -> None:
        """Whether the page may be shown."""
        self._ready = ready

    def changed_since(self, name: str, turn: int) -> bool:
        """Whether a component changed after a turn, or in the one under way."""
        if any(entry[0] == name for entry in self._tentative) or name in self._changes:
            return True
        return self._changed_at.get(name, self._since) > turn

    # -- the turn's end ------------------------------------------------------------------------------------

    def take(self, turn: int, at: float, crew: Crew) -> Published | None:
        """Everything since the last time; None if that is nothing."""
        if self._tentative:
            self._settle()
        statuses = self._news(crew) if crew.stirred else {}
        ready = self._ready if self._ready != self._told_ready else None
        if not (self._moves or self._changes or statuses or ready is not None):
            return None
        self._told_ready = self._ready
        self._changed_at.update(dict.fromkeys(self._changes, turn))
        for move in self._moves:
            if isinstance(move, Came):
                self._changed_at[move.name] = turn
        told = Published(turn, at, False, self._moves, self._changes, statuses, ready)
        self._moves, self._changes = [], {}
        return told

    def whole(self, turn: int, at: float, crew: Crew, root: LightningFlow) -> Published:
        """Everything there is."""
        self._tentative, self._moves, self._changes = [], [], {}
        crew.stirred.clear()
        self._changed_at, self._since = {}, turn
        self._statuses = {name: tuple(life.statuses()) for name, life in crew.lives.items()}
        moves: list[Move] = [_came(each, encode(each._lit_values())) for each in root._lit_walk()]
        self._told_ready = self._ready
        return Published(turn, at, True, moves, {}, {n: s for n, s in self._statuses.items() if s}, self._ready)

    def _news(self, crew: Crew) -> dict[str, tuple[WorkStatus, ...]]:
        news = {}
        for name in crew.stirred:
            life = crew.lives.get(name)
            statuses = tuple(life.statuses()) if life is not None else ()
            if statuses != self._statuses.get(name, ()):
                news[name] = self._statuses[name] = statuses
        crew.stirred.clear()
        return news

    def _settle(self) -> None:
        for entry in self._tentative:
            if len(entry) == 4:
                name, attribute, alone, data = entry
                _add(self._changes.setdefault(name, {}), attribute, alone, data)
            elif len(entry) == 2:
                component = self._tree.get(entry[0])
                self._changes.pop(entry[0], None)
                if component is not None:  # else it leaves again in this turn
                    self._moves.append(_came(component, entry[1]))
            elif len(entry) == 3:
                self._moves.append(Arranged(*entry))
            else:
                self._left(entry[0])
        self._tentative.clear()

    def _left(self, name: str) -> None:
        for known in [each for each in self._changes if each == name or each.startswith(f"{name}.")]:
            del self._changes[known]
        for known in [each for each in self._statuses if each == name or each.startswith(f"{name}.")]:
            del self._statuses[known]
        self._moves.append(Went(name))


def _add(parts: dict[str, Part | list[Part]], attribute: str, alone: bool, part: Part) -> None:
    """`alone`: it says all that there is to say of the attribute."""
    before = None if alone else parts.get(attribute)
    if alone:
        parts[attribute] = part
    elif isinstance(before, list):
        before.append(part)
    else:
        parts[attribute] = [part] if before is None else [before, part]


def _came(component: Component, values: bytes) -> Came:
    is_flow = isinstance(component, LightningFlow)
    structures = [key for key, child in component._lit_children.items() if isinstance(child, Structure)]
    parent = component._lit_parent
    flow = parent._lit_parent if isinstance(parent, Structure) else parent
    place = _place(component)
    above = flow.name if flow is not None else ""
    options = component._lit_options if isinstance(component, LightningWork) else {}
    return Came(component.name, above, place, is_flow, values, type(component), options, tuple(structures))


def _place(component: Component) -> tuple[str, ...]:
    """Where it stands in the shape of `app.state`."""
    parent, section = component._lit_parent, "flows" if isinstance(component, LightningFlow) else "works"
    if parent is None:
        return ()
    if isinstance(parent, Structure):
        above = (*_place(parent._lit_parent), "structures", parent._lit_key)
    else:
        above = _place(parent)
    return (*above, section, component._lit_key)
