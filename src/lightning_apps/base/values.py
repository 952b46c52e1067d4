"""Tracked containers: lists, dicts and sets that say what changed inside them; how a value becomes state.

A tracked container behaves, compares, prints and pickles like the plain one.  It knows its parent, so that a change deep inside is
reported as one path; it does not know who listens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from operator import index as as_index
from typing import Any, Protocol, SupportsIndex

from .encoding import SCALARS, encode, registry
from .errors import CannotKeep
from .messages import DELETE, SET, SPLICE, UPDATE

Path = tuple[Any, ...]


class Owner(Protocol):
    """Whoever holds containers as attributes: told of each change inside one of them."""

    def _lit_moved(self, path: Path, op: int, value: Any, old: Any) -> None:
        """`old`: what the path had before; of a splice the items that were removed."""

    def _lit_cannot_keep(self, name: str, value: Any, culprit: str) -> str: ...


class Gone:
    """The value of a path that does not exist; there is one instance, GONE."""

    def __repr__(self) -> str:
        return "GONE"


GONE: Any = Gone()


def track(value: Any, up: Any = None, key: Any = None) -> Any:
    """What is stored when `value` is assigned: tracked copies of containers, everything else as it is.

    Raises:
        CannotKeep: something inside cannot be part of the state; the message names its type only.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind is list or kind is TrackedList:
        return TrackedList._make(value, up, key)
    if kind is dict or kind is TrackedDict:
        return TrackedDict._make(value, up, key)
    if kind is set or kind is TrackedSet:
        return TrackedSet._make(value, up, key)
    check_leaf(value, kind)
    return value


def check_leaf(value: Any, kind: type) -> None:
    """Refuse what cannot be kept; look into tuples and frozen sets."""
    if kind in SCALARS:
        return
    if kind is tuple or kind is frozenset or kind is list or kind is set:
        for item in value:
            check_leaf(item, type(item))
    elif kind is dict:
        for name, item in value.items():
            check_leaf(name, type(name))
            check_leaf(item, type(item))
    elif kind in TRACKED:
        """Checked when it was made."""
    else:
        entry = registry.find(kind)
        if entry is None:
            raise CannotKeep(f"{kind.__module__}.{kind.__qualname__}")
        held = entry.inside(value)
        check_leaf(held, type(held))


def adopt(value: Any, owner: Any, name: str) -> Any:
    """Tell values inside a stored one whose state they are part of now; what is stored in its place."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind is TrackedList or kind is TrackedDict:
        if kind is TrackedList and _all_scalars(value):
            return value
        items = enumerate(list.__iter__(value)) if kind is TrackedList else list(dict.items(value))
        for key, item in items:
            if (kept := adopt(item, owner, name)) is not item:
                (list if kind is TrackedList else dict).__setitem__(value, key, kept)
        return value
    if kind is tuple:
        kept = tuple(adopt(item, owner, name) for item in value)
        return value if all(a is b for a, b in zip(value, kept, strict=True)) else kept
    if kind in MUTABLE:
        return value  # a plain one is not stored as it is
    entry = registry.find(kind)
    return value if entry is None or entry.adopt is None else entry.adopt(value, owner, name)


def _all_scalars(items: list[Any]) -> bool:
    """Without a look at each in Python: most lists are long rather than deep."""
    return SCALARS.issuperset(map(type, list.__iter__(items)))


def opaque(value: Any) -> bool:
    """Whether something inside can change without telling us: such values are compared by their encoding."""
    kind = type(value)
    if kind in SCALARS:
        return False
    if kind in (list, TrackedList, tuple):
        if kind is not tuple and _all_scalars(value):
            return False
        return any(type(v) not in SCALARS and (opaque(v) or (kind is tuple and type(v) in MUTABLE)) for v in value)
    if kind in (dict, TrackedDict):
        return any(type(v) not in SCALARS and opaque(v) for v in value.values())
    if kind in (set, frozenset, TrackedSet):
        return False
    entry = registry.find(kind)
    return entry is not None and entry.mutable


def same(left: Any, right: Any) -> bool:
    """Equal in value and type; NaN equals itself."""
    if left is right:
        return True
    kind = type(left)
    if kind in SCALARS or type(right) in SCALARS:
        return kind is type(right) and (left == right or (left != left and right != right))
    if PLAIN.get(kind, kind) is not PLAIN.get(type(right), type(right)) or (kind in SIZED and len(left) != len(right)):
        return False
    if (kind is list or kind is TrackedList) and left and _differ(left, right):
        return False
    try:
        return encode(left) == encode(right)
    except CannotKeep:
        return False  # whoever takes the new value says why not


def _differ(left: list[Any], right: list[Any]) -> bool:
    """Whether it is seen at once, by their first items, that two lists are not the same."""
    first, other = list.__getitem__(left, 0), list.__getitem__(right, 0)
    return type(first) in SCALARS and type(other) in SCALARS and not same(first, other)


# tracked containers ---------------------------------------------------------------------------------------


def place_of(node: Any) -> tuple[Owner | None, Path]:
    """The owner of a tracked container and the path from it; (None, ()) for one that is no longer part of any state."""
    path: list[Any] = []
    while True:
        up = node._up
        if up is None:
            return None, ()
        key = node._key
        if isinstance(up, TrackedList) and (key := _index(up, key, node)) < 0:
            return None, ()
        path.append(key)
        if type(up) not in TRACKED:
            path.reverse()
            return up, tuple(path)
        node = up


def _index(up: TrackedList, hint: int, node: Any) -> int:
    """Where `node` is in its list now; the remembered index is right unless the list shifted."""
    if hint < len(up) and list.__getitem__(up, hint) is node:
        return hint
    for index, item in enumerate(list.__iter__(up)):
        if item is node:
            node._key = index
            return index
    return -1


def _tell(node: Any, key: Path, op: int, value: Any, old: Any = None) -> None:
    owner, path = place_of(node)
    if owner is not None:
        owner._lit_moved(path + key, op, value, old)


def _admit(node: Any, item: Any, key: Any) -> Any:
    """What is stored when `item` is put into this container, or the sentence of the component that it is part of."""
    if type(item) in SCALARS:
        return item
    try:
        kept = track(item, node, key)
    except (CannotKeep, RecursionError) as error:
        raise CannotKeep(_refusal(node, item, error)) from None
    owner, path = place_of(node) if registry.adopting else (None, ())
    return kept if owner is None else adopt(kept, owner, path[0])


def _refusal(node: Any, item: Any, error: Exception) -> str:
    culprit = str(error) if isinstance(error, CannotKeep) else "a container that contains itself"
    owner, path = place_of(node)
    return culprit if owner is None else owner._lit_cannot_keep(str(path[0]), item, culprit)


def release(value: Any) -> None:
    """A container that left its place: what happens inside it concerns nobody any more."""
    if type(value) in TRACKED:
        value._up = None


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
        list.__init__(self, new if _all_scalars(new) else [track(item, self, at) for at, item in enumerate(new)])

    @classmethod
    def _make(cls, items: Iterable[Any], up: Any, key: Any) -> TrackedList:
        made = cls(items)
        made._up, made._key = up, key
        return made

    def _splice(self, index: int, removed: int, inserted: Iterable[Any]) -> None:
        new = [_admit(self, item, index + n) for n, item in enumerate(inserted)]
        if self._shadow is not None:
            _own_up(self)
        old = list.__getitem__(self, slice(index, index + removed))
        for item in old:
            release(item)
        exchange(self, index, index + removed, new)
        if removed or new:
            _tell(self, (), SPLICE, [index, removed, new], old)

    def append(self, item: Any, /) -> None:
        index = len(self)
        item = item if type(item) in SCALARS else _admit(self, item, index)
        if self._shadow is not None:
            _own_up(self)
        list.append(self, item)
        if self._shadow is not None:
            _told(self, index, index, [item])
        if self._up is not None:
            _tell(self, (), SPLICE, [index, 0, [item]], ())

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
                _own_up(self)
            old = list.__getitem__(self, slice(first, None))
            exchange(self, first, len(self), items[first:])
            _tell(self, (), SPLICE, [first, len(items) - first, items[first:]], old)

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
        return [_plain_deep(item, memo) for item in list.__iter__(self)]

    def __copy__(self) -> list[Any]:
        return list(list.__iter__(self))


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


def _own_up(items: TrackedList) -> None:
    """Before something is told of a list: nobody could make sense of that who takes it to be longer, or shorter."""
    shadow = items._shadow
    if (len(shadow) if type(shadow) is list else shadow[0]) != len(items):
        old = TrackedList(shadow) if type(shadow) is list else None
        if old is not None:
            watch(old)
        watch(items)
        _tell(items, (), SET, items, old)


def _ends(items: list[Any]) -> tuple[int, Any, Any]:
    return len(items), list.__getitem__(items, 0), list.__getitem__(items, -1)


def watch(items: TrackedList) -> None:
    """What is in this list now is known to everybody; what is not tracked in it is from now on.

    Raises:
        CannotKeep: something in it cannot be part of the state.
    """
    for index, item in () if _all_scalars(items) else enumerate(list.__iter__(items)):
        if type(item) not in SCALARS and not (type(item) in TRACKED and item._up is items):
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


class TrackedDict(dict[Any, Any]):
    """A dict kept in state.  Every change is one key that took a value or went."""

    __slots__ = ("_key", "_lent", "_up")

    def __init__(self, items: Any = (), **named: Any) -> None:
        self._up = self._key = None
        self._lent = False
        dict.__init__(self, {_key(k): track(v, self, k) for k, v in dict(items, **named).items()})

    @classmethod
    def _make(cls, items: dict[Any, Any], up: Any, key: Any) -> TrackedDict:
        made = cls(items)
        made._up, made._key = up, key
        return made

    def __setitem__(self, key: Any, item: Any, /) -> None:
        old = dict.get(self, key, GONE)
        if old is not GONE and same(old, item):
            return
        new = _admit(self, item, key)
        _admit(self, key, None)
        release(old)
        dict.__setitem__(self, key, new)
        _tell(self, (key,), SET, new, old)

    def __delitem__(self, key: Any, /) -> None:
        old = dict.__getitem__(self, key)
        release(old)
        dict.__delitem__(self, key)
        _tell(self, (key,), DELETE, None, old)

    def pop(self, key: Any, *default: Any) -> Any:
        if key not in self or len(default) > 1:
            return dict.pop(self, key, *default)
        item = dict.__getitem__(self, key)
        del self[key]
        return item

    def popitem(self) -> tuple[Any, Any]:
        key = next(reversed(list(dict.keys(self))), GONE)
        if key is GONE:
            raise KeyError("popitem(): dictionary is empty")
        return key, self.pop(key)

    def clear(self) -> None:
        for key in list(dict.keys(self)):
            del self[key]

    def update(self, *others: Any, **named: Any) -> None:
        for key, item in dict(*others, **named).items():
            self[key] = item

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        if key not in self:
            self[key] = default
        return dict.__getitem__(self, key)

    def __ior__(self, other: Any, /) -> TrackedDict:  # type: ignore[misc]
        self.update(other)
        return self

    def __iter__(self) -> Iterator[Any]:
        self._lent = True
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[Any]:
        self._lent = True
        return dict.__reversed__(self)

    def keys(self) -> Any:
        self._lent = True
        return dict.keys(self)

    def values(self) -> Any:
        self._lent = True
        return dict.values(self)

    def items(self) -> Any:
        self._lent = True
        return dict.items(self)

    def copy(self) -> dict[Any, Any]:
        return dict(dict.items(self))

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return dict, (dict(dict.items(self)),)

    def __deepcopy__(self, memo: Any) -> dict[Any, Any]:
        return {key: _plain_deep(item, memo) for key, item in dict.items(self)}

    def __copy__(self) -> dict[Any, Any]:
        return self.copy()


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
            _admit(self, item, None)
        set.difference_update(self, removed)
        set.update(self, added)
        if added or removed:
            _tell(self, (), UPDATE, [list(added), list(removed)])

    def _plain(self) -> set[Any]:
        return set(set.__iter__(self))

    def add(self, item: Any, /) -> None:
        if item not in self:
            self._become(self._plain() | {item}) if len(self) < 8 else self._add(item)

    def _add(self, item: Any) -> None:
        _admit(self, item, None)
        set.add(self, item)
        _tell(self, (), UPDATE, [[item], []])

    def discard(self, item: Any, /) -> None:
        if item in self:
            set.discard(self, item)
            _tell(self, (), UPDATE, [[], [item]])

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


TRACKED = frozenset({TrackedList, TrackedDict, TrackedSet})
MUTABLE = frozenset({list, dict, set, *TRACKED})
PLAIN: dict[type, type] = {TrackedList: list, TrackedDict: dict, TrackedSet: set}
registry.alike.update(PLAIN)
SIZED = frozenset({list, dict, set, tuple, frozenset, *TRACKED})


def _key(key: Any) -> Any:
    check_leaf(key, type(key))
    return key


def _plain_deep(value: Any, memo: Any) -> Any:
    if type(value) in SCALARS:
        return value
    return deepcopy(value, memo)


def plain(value: Any) -> Any:
    """A copy without tracking, however deep; leaves are shared."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind in (list, TrackedList):
        return [plain(v) for v in list.__iter__(value)]
    if kind in (dict, TrackedDict):
        return {k: plain(v) for k, v in dict.items(value)}
    return set(set.__iter__(value)) if kind is TrackedSet else value
