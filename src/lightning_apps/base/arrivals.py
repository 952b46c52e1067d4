"""Changes that came from elsewhere, applied to tracked containers without reporting them.  Knows nothing of where they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .encoding import SCALARS
from .messages import DELETE, SET, SPLICE, UPDATE, Change
from .values import GONE, TRACKED, Path, TrackedDict, TrackedList, TrackedSet, adopt, exchange, release, track


def put(owner: Any, attributes: dict[str, Any], change: Change, gentle: bool = False) -> bool:
    """Apply one change to an owner's attributes without reporting it; False if it does not fit what is there.

    Dictionaries on the way that vanished meanwhile are made again.  `gentle` never touches a container that user code may be
    iterating over: it puts a copy in its place.
    """
    path, op, value = change.path, change.op, change.value
    name = path[0]
    if len(path) == 1 and op <= DELETE:
        old = attributes.get(name)
        if op == SET:
            attributes[name] = track(value, owner, name)  # in one step: another thread may be reading it
        else:
            attributes.pop(name, None)
        release(old)
        return True
    make = op == SET and int not in map(type, path)  # an index: what vanished was a list
    holder = _reach(owner, attributes, path if op >= SPLICE else path[:-1], gentle, make)
    if holder is None:
        return op == DELETE
    return APPLY[op](holder, path[-1], value)


def adopt_new(owner: Any, attributes: dict[str, Any], change: Change) -> None:
    """Tell the values that a change brought whose state they are part of now; what was there before was told already."""
    path, name = change.path, change.path[0]
    if change.op == SPLICE:
        holder = _reach(owner, attributes, path, gentle=False, make=False)
        index, _, inserted = change.value
        for at in range(index, index + len(inserted)) if isinstance(holder, TrackedList) else ():
            _adopt_item(owner, name, holder, at)
    elif change.op == SET and len(path) > 1:
        _adopt_item(owner, name, _reach(owner, attributes, path[:-1], gentle=False, make=False), path[-1])
    elif change.op == SET:
        attributes[name] = adopt(attributes[name], owner, name)


def _adopt_item(owner: Any, name: str, holder: Any, key: Any) -> None:
    item = _child(holder, key)
    if item is GONE or type(item) in SCALARS or (kept := adopt(item, owner, name)) is item:
        return
    _hang(holder, {}, 1, key, kept)


def _reach(owner: Any, attributes: dict[str, Any], path: Path, gentle: bool, make: bool) -> Any:
    """The tracked container at `path`; missing dictionaries on the way are made if `make`."""
    holder: Any = owner
    for depth, key in enumerate(path):
        item = attributes.get(key, GONE) if depth == 0 else _child(holder, key)
        if type(item) not in TRACKED:
            if not make or isinstance(holder, TrackedList):
                return None
            item = TrackedDict._make({}, holder, key)
            _hang(holder, attributes, depth, key, item)
        elif gentle and item._lent:
            item = _copied(item, holder, key)
            _hang(holder, attributes, depth, key, item)
        holder = item
    return holder


def _hang(holder: Any, attributes: dict[str, Any], depth: int, key: Any, item: Any) -> None:
    if depth == 0:
        attributes[key] = item
    elif isinstance(holder, TrackedDict):
        dict.__setitem__(holder, key, item)
    else:
        exchange(holder, key, key + 1, [item])


def _copied(item: Any, up: Any, key: Any) -> Any:
    """The same content in a new container; nested ones move over, the old one is left to whoever iterates over it."""
    new = type(item)()
    new._up, new._key = up, key
    if isinstance(item, TrackedList):
        list.extend(new, list.__iter__(item))
        new._shadow = item._shadow
        children: Iterable[Any] = list.__iter__(item)
    elif isinstance(item, TrackedDict):
        dict.update(new, dict.items(item))
        children = dict.values(item)
    else:
        set.update(new, set.__iter__(item))
        children = ()
    for child in children:
        if type(child) in TRACKED:
            child._up = new
    item._up = None
    return new


def _child(holder: Any, key: Any) -> Any:
    if isinstance(holder, TrackedDict):
        return dict.get(holder, key, GONE)
    if isinstance(holder, TrackedList) and isinstance(key, int) and 0 <= key < len(holder):
        return list.__getitem__(holder, key)
    return GONE


def _apply_set(holder: Any, key: Any, value: Any) -> bool:
    if isinstance(holder, TrackedDict):
        release(dict.get(holder, key))
        dict.__setitem__(holder, key, track(value, holder, key))
        return True
    if isinstance(holder, TrackedList) and isinstance(key, int) and 0 <= key < len(holder):
        release(list.__getitem__(holder, key))
        exchange(holder, key, key + 1, [track(value, holder, key)])
        return True
    return False


def _apply_delete(holder: Any, key: Any, value: Any) -> bool:
    if isinstance(holder, TrackedDict):
        release(dict.pop(holder, key, None))
    return isinstance(holder, TrackedDict)


def _apply_splice(holder: Any, key: Any, value: Any) -> bool:
    index, removed, inserted = value
    if not isinstance(holder, TrackedList) or index + removed > len(holder):
        return False
    for item in list.__getitem__(holder, slice(index, index + removed)):
        release(item)
    exchange(holder, index, index + removed, [track(v, holder, index + n) for n, v in enumerate(inserted)])
    return True


def _apply_update(holder: Any, key: Any, value: Any) -> bool:
    if not isinstance(holder, TrackedSet):
        return False
    set.update(holder, value[0])
    set.difference_update(holder, value[1])
    return True


APPLY: dict[int, Callable[[Any, Any, Any], bool]] = {
    SET: _apply_set,
    DELETE: _apply_delete,
    SPLICE: _apply_splice,
    UPDATE: _apply_update,
}
