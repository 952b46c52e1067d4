"""What all tracked containers do alike: take values in, know where they are in the state, and say what changed.

Knows no container: each says in the registry what it stands for and how it is made, and `values` has them all.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Protocol

from .encoding import SCALARS, encode, registry
from .errors import CannotKeep

Path = tuple[Any, ...]
PLAIN, MAKERS = registry.alike, registry.makers
MUTABLE = frozenset({list, dict, set})
SIZED = frozenset({*MUTABLE, tuple, frozenset})


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


# coming in --------------------------------------------------------------------------------------------------


def track(value: Any, up: Any = None, key: Any = None) -> Any:
    """What is stored when `value` is assigned: tracked copies of containers, everything else as it is.

    Raises:
        CannotKeep: something inside cannot be part of the state; the message names its type only.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    make = MAKERS.get(kind)
    if make is not None:
        return make(value, up, key)
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
    elif kind in PLAIN:
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
    if kind in PLAIN:
        return _adopt_items(value, PLAIN[kind], owner, name)
    if kind is tuple:
        kept = tuple(adopt(item, owner, name) for item in value)
        return value if all(a is b for a, b in zip(value, kept, strict=True)) else kept
    if kind in MUTABLE:
        return value  # a plain one is not stored as it is
    entry = registry.find(kind)
    return value if entry is None or entry.adopt is None else entry.adopt(value, owner, name)


def _adopt_items(value: Any, like: Any, owner: Any, name: str) -> Any:
    if like is set or (like is list and all_scalars(value)):
        return value
    for key, item in enumerate(list.__iter__(value)) if like is list else list(dict.items(value)):
        if (kept := adopt(item, owner, name)) is not item:
            like.__setitem__(value, key, kept)
    return value


def all_scalars(items: list[Any]) -> bool:
    """Without a look at each in Python: most lists are long rather than deep."""
    return SCALARS.issuperset(map(type, list.__iter__(items)))


def same(left: Any, right: Any) -> bool:
    """Equal in value and type; NaN equals itself."""
    if left is right:
        return True
    kind = type(left)
    if kind in SCALARS or type(right) in SCALARS:
        return kind is type(right) and (left == right or (left != left and right != right))
    like = PLAIN.get(kind, kind)
    if like is not PLAIN.get(type(right), type(right)) or (like in SIZED and len(left) != len(right)):
        return False
    if like is list and left and _differ(left, right):
        return False
    try:
        return encode(left) == encode(right)
    except CannotKeep:
        return False  # whoever takes the new value says why not


def _differ(left: list[Any], right: list[Any]) -> bool:
    """Whether it is seen at once, by their first items, that two lists are not the same."""
    first, other = list.__getitem__(left, 0), list.__getitem__(right, 0)
    return type(first) in SCALARS and type(other) in SCALARS and not same(first, other)


# being somewhere --------------------------------------------------------------------------------------------


def place_of(node: Any) -> tuple[Owner | None, Path]:
    """The owner of a tracked container and the path from it; (None, ()) for one that is no longer part of any state."""
    path: list[Any] = []
    while True:
        up = node._up
        if up is None:
            return None, ()
        key = node._key
        like = PLAIN.get(type(up))
        if like is list and (key := _index(up, key, node)) < 0:
            return None, ()
        path.append(key)
        if like is None:
            path.reverse()
            return up, tuple(path)
        node = up


def _index(up: Any, hint: int, node: Any) -> int:
    """Where `node` is in its list now; the remembered index is right unless the list shifted."""
    if hint < len(up) and list.__getitem__(up, hint) is node:
        return hint
    for index, item in enumerate(list.__iter__(up)):
        if item is node:
            node._key = index
            return index
    return -1


def tell(node: Any, key: Path, op: int, value: Any, old: Any = None) -> None:
    owner, path = place_of(node)
    if owner is not None:
        owner._lit_moved(path + key, op, value, old)


def admit(node: Any, item: Any, key: Any) -> Any:
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
    if type(value) in PLAIN:
        value._up = None


def plain_deep(value: Any, memo: Any) -> Any:
    if type(value) in SCALARS:
        return value
    return deepcopy(value, memo)
