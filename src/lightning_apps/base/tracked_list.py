"""Lists in state: each change is one splice, and what C code wrote past their methods is found out.  Knows not who listens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import index as as_index
from typing import Any, SupportsIndex

from .encoding import SCALARS, registry
from .messages import SET, SPLICE
from .tracking import PLAIN, admit, all_scalars, plain_deep, release, same, tell, track

SHADOWED = 512  # items of a list up to which each is remembered; of a longer one its length and its ends


class TrackedList(list[Any]):
    """A list kept in state.  Every change is one splice: (index, how many removed, what was inserted).

    One that is watched knows in `_shadow` what it has told: C code (`heapq`) writes to lists past their methods.
    """

    __slots__ = ("_key", "_lent", "_shadow", "_up")

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._up = self._key = None
        self._shadow: Any = None
        self._lent = False
        new = list(items)
        list.__init__(self, new if all_scalars(new) else [track(item, self, at) for at, item in enumerate(new)])

    @classmethod
    def _make(cls, items: Iterable[Any], up: Any, key: Any) -> TrackedList:
        made = cls(items)
        made._up, made._key = up, key
        return made

    def _splice(self, index: int, removed: int, inserted: Iterable[Any]) -> None:
        new = [admit(self, item, index + n) for n, item in enumerate(inserted)]
        if self._shadow is not None:
            own_up(self)
        old = list.__getitem__(self, slice(index, index + removed))
        for item in old:
            release(item)
        exchange(self, index, index + removed, new)
        if removed or new:
            tell(self, (), SPLICE, [index, removed, new], old)

    def append(self, item: Any, /) -> None:
        index = len(self)
        item = item if type(item) in SCALARS else admit(self, item, index)
        if self._shadow is not None:
            own_up(self)
        list.append(self, item)
        if self._shadow is not None:
            _told(self, index, index, [item])
        if self._up is not None:
            tell(self, (), SPLICE, [index, 0, [item]], ())

    def extend(self, items: Iterable[Any], /) -> None:
        self._splice(len(self), 0, list(items))

    def insert(self, index: SupportsIndex, item: Any, /) -> None:
        at = as_index(index)
        self._splice(max(0, at + len(self)) if at < 0 else min(at, len(self)), 0, [item])

    def pop(self, index: SupportsIndex = -1, /) -> Any:
        item = list.__getitem__(self, index)
        at = as_index(index)
        self._splice(at + len(self) if at < 0 else at, 1, ())
        return item

    def remove(self, item: Any, /) -> None:
        self._splice(self.index(item), 1, ())

    def clear(self) -> None:
        self._splice(0, len(self), ())

    def sort(self, **how: Any) -> None:
        self._rearrange(sorted(list.__iter__(self), **how))

    def reverse(self) -> None:
        self._rearrange(list.__getitem__(self, slice(None, None, -1)))

    def _rearrange(self, items: list[Any]) -> None:
        """The same items in another order: one splice of the part that moved."""
        first = next(
            (n for n, (a, b) in enumerate(zip(list.__iter__(self), items, strict=True)) if a is not b), len(items)
        )
        if first < len(items):
            if self._shadow is not None:
                own_up(self)
            old = list.__getitem__(self, slice(first, None))
            exchange(self, first, len(self), items[first:])
            tell(self, (), SPLICE, [first, len(items) - first, items[first:]], old)

    def __setitem__(self, where: Any, item: Any, /) -> None:
        if isinstance(where, slice):
            return self._set_slice(where, list(item))
        old = list.__getitem__(self, where)
        at = as_index(where)
        if not same(old, item):
            self._splice(at + len(self) if at < 0 else at, 1, [item])
        return None

    def _set_slice(self, where: slice, items: list[Any]) -> None:
        start, stop, step = where.indices(len(self))
        if step == 1:
            return self._splice(start, max(0, stop - start), items)
        indices = range(start, stop, step)
        if len(indices) != len(items):
            raise ValueError(
                f"attempt to assign sequence of size {len(items)} to extended slice of size {len(indices)}"
            )
        for index, item in zip(indices, items, strict=True):
            self[index] = item
        return None

    def __delitem__(self, where: Any, /) -> None:
        if isinstance(where, slice):
            start, stop, step = where.indices(len(self))
            if step == 1:
                return self._splice(start, max(0, stop - start), ())
            for index in sorted(range(start, stop, step), reverse=True):
                self._splice(index, 1, ())
            return None
        list.__getitem__(self, where)
        at = as_index(where)
        return self._splice(at + len(self) if at < 0 else at, 1, ())

    def __iadd__(self, items: Iterable[Any], /) -> TrackedList:  # type: ignore[misc]
        self.extend(items)
        return self

    def __imul__(self, times: SupportsIndex, /) -> TrackedList:
        count = as_index(times)
        self._splice(len(self), 0, list(self) * (count - 1)) if count > 0 else self.clear()
        return self

    def __iter__(self) -> Iterator[Any]:
        self._lent = True
        return list.__iter__(self)

    def __reversed__(self) -> Iterator[Any]:
        self._lent = True
        return list.__reversed__(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return list, (list(list.__iter__(self)),)

    def __deepcopy__(self, memo: Any) -> list[Any]:
        return [plain_deep(item, memo) for item in list.__iter__(self)]

    def __copy__(self) -> list[Any]:
        return list(list.__iter__(self))


registry.alike[TrackedList] = list
registry.makers[list] = registry.makers[TrackedList] = TrackedList._make


def exchange(items: TrackedList, start: int, stop: int, new: list[Any]) -> None:
    """Put `new` in the place of some items of a list, which is told to whom it concerns."""
    list.__setitem__(items, slice(start, stop), new)
    if items._shadow is not None:
        _told(items, start, stop, new)


def _told(items: TrackedList, start: int, stop: int, new: list[Any]) -> None:
    shadow = items._shadow
    if type(shadow) is list:
        shadow[start:stop] = new
        if len(shadow) > SHADOWED:
            items._shadow = _ends(shadow)
        return
    length = shadow[0] + len(new) - (stop - start)
    if length != len(items):
        items._shadow = (length, None, None)
    else:
        items._shadow = list.__getitem__(items, slice(None)) if length <= SHADOWED else _ends(items)


def own_up(items: TrackedList) -> None:
    """Before something is told of a list: nobody could make sense of that who takes it to be longer, or shorter."""
    shadow = items._shadow
    if (len(shadow) if type(shadow) is list else shadow[0]) != len(items):
        old = TrackedList(shadow) if type(shadow) is list else None
        if old is not None:
            watch(old)
        watch(items)
        tell(items, (), SET, items, old)


def _ends(items: list[Any]) -> tuple[int, Any, Any]:
    return len(items), list.__getitem__(items, 0), list.__getitem__(items, -1)


def watch(items: TrackedList) -> None:
    """What is in this list now is known to everybody; what is not tracked in it is from now on.

    Raises:
        CannotKeep: something in it cannot be part of the state.
    """
    for index, item in () if all_scalars(items) else enumerate(list.__iter__(items)):
        if type(item) not in SCALARS and not (type(item) in PLAIN and item._up is items):
            list.__setitem__(items, index, track(item, items, index))
    items._shadow = list.__getitem__(items, slice(None)) if len(items) <= SHADOWED else _ends(items)


def untold(items: TrackedList) -> bool:
    """Whether this list was written to past its methods since it was watched."""
    shadow = items._shadow
    if type(shadow) is list:
        try:
            return len(items) != len(shadow) or not list.__eq__(items, shadow)
        except Exception:
            return True  # what is compared is no longer the same object, and does not say whether it is equal
    if shadow is None:
        return False
    length, first, last = shadow
    ends = _ends(items) if items else (0, None, None)
    return ends[0] != length or ends[1] is not first or ends[2] is not last


def take_back_untold(items: TrackedList) -> None:
    """Make a short list what it has told."""
    if type(items._shadow) is list and untold(items):
        list.__setitem__(items, slice(None), items._shadow)
