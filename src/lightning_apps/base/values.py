"""Values as state: what of them is stored, whether they can change unseen, and how they become plain again.

A tracked container behaves, compares, prints and pickles like the plain one.  It knows its parent, so that a change deep inside is
reported as one path; it does not know who listens.
"""

from __future__ import annotations

from typing import Any

from .encoding import SCALARS, registry
from .tracked_dict import TrackedDict
from .tracked_list import SHADOWED, TrackedList, exchange, take_back_untold, untold, watch
from .tracked_set import TrackedSet
from .tracking import GONE, MUTABLE, Owner, Path, adopt, all_scalars, check_leaf, place_of, release, same, track

__all__ = [
    "GONE", "SHADOWED", "TRACKED", "Owner", "Path", "TrackedDict", "TrackedList", "TrackedSet", "adopt", "check_leaf", "exchange", "opaque",
    "place_of", "plain", "release", "same", "take_back_untold", "track", "untold", "watch",
]  # fmt: skip

TRACKED = frozenset({TrackedList, TrackedDict, TrackedSet})


def opaque(value: Any) -> bool:
    """Whether something inside can change without telling us: such values are compared by their encoding."""
    kind = type(value)
    if kind in SCALARS:
        return False
    if kind in (list, TrackedList, tuple):
        if kind is not tuple and all_scalars(value):
            return False
        return any(
            type(v) not in SCALARS and (opaque(v) or (kind is tuple and (type(v) in MUTABLE or type(v) in TRACKED)))
            for v in value
        )
    if kind in (dict, TrackedDict):
        return any(type(v) not in SCALARS and opaque(v) for v in value.values())
    if kind in (set, frozenset, TrackedSet):
        return False
    entry = registry.find(kind)
    return entry is not None and entry.mutable


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
