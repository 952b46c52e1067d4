"""Sets in state: each change is what was added and what was removed.  Knows not who listens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, SupportsIndex

from .encoding import registry
from .messages import UPDATE
from .tracking import admit, check_leaf, tell


class TrackedSet(set[Any]):
    """A set kept in state.  Every change is what was added and what was removed."""

    __slots__ = ("_key", "_lent", "_up")

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._up = self._key = None
        self._lent = False
        set.__init__(self, items)
        for item in set.__iter__(self):
            check_leaf(item, type(item))

    @classmethod
    def _make(cls, items: Iterable[Any], up: Any, key: Any) -> TrackedSet:
        made = cls(items)
        made._up, made._key = up, key
        return made

    def _become(self, new: set[Any]) -> None:
        added, removed = new - self, set(set.__iter__(self)) - new
        for item in added:
            admit(self, item, None)
        set.difference_update(self, removed)
        set.update(self, added)
        if added or removed:
            tell(self, (), UPDATE, [list(added), list(removed)])

    def _plain(self) -> set[Any]:
        return set(set.__iter__(self))

    def add(self, item: Any, /) -> None:
        if item not in self:
            self._become(self._plain() | {item}) if len(self) < 8 else self._add(item)

    def _add(self, item: Any) -> None:
        admit(self, item, None)
        set.add(self, item)
        tell(self, (), UPDATE, [[item], []])

    def discard(self, item: Any, /) -> None:
        if item in self:
            set.discard(self, item)
            tell(self, (), UPDATE, [[], [item]])

    def remove(self, item: Any, /) -> None:
        if item not in self:
            raise KeyError(item)
        self.discard(item)

    def pop(self) -> Any:
        for item in self._plain():
            self.discard(item)
            return item
        raise KeyError("pop from an empty set")

    def clear(self) -> None:
        self._become(set())

    def update(self, *others: Iterable[Any]) -> None:
        self._become(self._plain().union(*others))

    def intersection_update(self, *others: Iterable[Any]) -> None:
        self._become(self._plain().intersection(*others))

    def difference_update(self, *others: Iterable[Any]) -> None:
        self._become(self._plain().difference(*others))

    def symmetric_difference_update(self, other: Iterable[Any], /) -> None:
        self._become(self._plain().symmetric_difference(other))

    def __ior__(self, other: Any, /) -> TrackedSet:  # type: ignore[misc]
        self._become(self._plain() | other)
        return self

    def __iand__(self, other: Any, /) -> TrackedSet:  # type: ignore[misc]
        self._become(self._plain() & other)
        return self

    def __isub__(self, other: Any, /) -> TrackedSet:  # type: ignore[misc]
        self._become(self._plain() - other)
        return self

    def __ixor__(self, other: Any, /) -> TrackedSet:  # type: ignore[misc]
        self._become(self._plain() ^ other)
        return self

    def __iter__(self) -> Iterator[Any]:
        self._lent = True
        return set.__iter__(self)

    def __repr__(self) -> str:
        return repr(self._plain())

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return set, (list(set.__iter__(self)),)

    def __deepcopy__(self, memo: Any) -> set[Any]:
        return self._plain()

    def copy(self) -> set[Any]:
        return self._plain()

    __copy__ = copy


registry.alike[TrackedSet] = set
registry.makers[set] = registry.makers[TrackedSet] = TrackedSet._make
