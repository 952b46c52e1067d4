"""Dicts in state: each change is one key that took a value or went.  Knows not who listens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex

from .encoding import registry
from .messages import DELETE, SET
from .tracking import GONE, admit, check_leaf, plain_deep, release, same, tell, track


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
        new = admit(self, item, key)
        admit(self, key, None)
        release(old)
        dict.__setitem__(self, key, new)
        tell(self, (key,), SET, new, old)

    def __delitem__(self, key: Any, /) -> None:
        old = dict.__getitem__(self, key)
        release(old)
        dict.__delitem__(self, key)
        tell(self, (key,), DELETE, None, old)

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
        return {key: plain_deep(item, memo) for key, item in dict.items(self)}

    def __copy__(self) -> dict[Any, Any]:
        return self.copy()


registry.alike[TrackedDict] = dict
registry.makers[dict] = registry.makers[TrackedDict] = TrackedDict._make


def _key(key: Any) -> Any:
    check_leaf(key, type(key))
    return key
