"""Components that were made while the app ran: what the record keeps of one, and how it is made again.

A class and the arguments of its `__init__`, run again with the state put over it, so that edited classes work; the pickled object
only where the arguments do not pickle.
"""

from __future__ import annotations

import pickle
from typing import Any

from ..base.encoding import decode, encode
from ..base.errors import StateMismatch
from ..base.messages import SET, Change
from ..base.registry import locate
from ..model.component import Component
from ..model.containers import Dict, List, Structure
from ..model.flow import LightningFlow


def made(child: Component) -> list[Any]:
    """The entry of a component that came into the tree, with everything below it."""
    parent = child._lit_parent
    holder = "list" if isinstance(parent, List) else "dict" if isinstance(parent, Dict) else "attribute"
    index = _index(parent, child)
    kind = type(child)
    states = {component.name: _state(component) for component in child._lit_walk()}
    return ["made", child.name, holder, index, kind.__module__, kind.__qualname__, *_recipe(child), states]


def _index(parent: Any, child: Component) -> int:
    """Where in its list or dict it is, or is about to be."""
    if isinstance(parent, List):
        return next((n for n, item in enumerate(list.__iter__(parent)) if item is child), len(parent))
    return [*dict.keys(parent), child._lit_key].index(child._lit_key) if isinstance(parent, Dict) else 0


def _state(component: Component) -> bytes:
    return encode(component._lit_values())


def _recipe(child: Component) -> tuple[str, bytes]:
    """("arguments", pickle), ("object", pickle), or ("nothing", reason)."""
    try:
        return "arguments", pickle.dumps(child._lit_made or ((), {}), protocol=5)
    except Exception:
        try:
            return "object", pickle.dumps(child, protocol=5)
        except Exception as error:
            return "nothing", str(error).encode()


def make_again(root: LightningFlow, entry: list[Any]) -> Component | None:
    """Put the component of an entry where it was; None if it is there already.

    Raises:
        StateMismatch: it could not be pickled then, or cannot be made now.
    """
    _, name, holder, index, module, qualname, way, data, states = entry
    parent_name, _, key = name.rpartition(".")
    place = _place(root, parent_name, holder)
    if _there(place, key):
        return None
    child = _build(name, module, qualname, way, data)
    _hang(place, key, index, child)
    for component in child._lit_walk():
        for attribute, value in decode(states.get(component.name, encode({}))).items():
            component._lit_apply(Change((attribute,), SET, value))
    return child


def _build(name: str, module: str, qualname: str, way: str, data: bytes) -> Component:
    if way == "nothing":
        raise StateMismatch(
            f"{name} was made while the app ran and could not be pickled ({data.decode()}), so it cannot come back."
        )
    try:
        if way == "object":
            found: Component = pickle.loads(data)
            return found
        args, kwargs = pickle.loads(data)
        built: Component = locate(module, qualname)(*args, **kwargs)
        return built
    except Exception as error:
        raise StateMismatch(
            f"{name} was made while the app ran and cannot be made again: {type(error).__name__}: {error}."
        ) from None


def _place(root: LightningFlow, name: str, holder: str) -> Any:
    """The flow or structure of this name; a structure that was made at run time is made again."""
    found: Any = root
    parts = name.split(".")[1:]
    for depth, part in enumerate(parts):
        children = dict(found._lit_items()) if isinstance(found, Structure) else found._lit_children
        if part not in children and depth == len(parts) - 1 and holder != "attribute":
            found._lit_state.pop(part, None)
            found._lit_hang(part, List() if holder == "list" else Dict())
            children = found._lit_children
        if part not in children:
            raise StateMismatch(
                f"{name} is not in the app any more, and something that was made while it ran belongs there."
            )
        found = children[part]
    return found


def _there(place: Any, key: str) -> bool:
    return key in (dict(place._lit_items()) if isinstance(place, Structure) else place._lit_children)


def _hang(place: Any, key: str, index: int, child: Component) -> None:
    if isinstance(place, List):
        place._lit_next = max(place._lit_next, int(key))
        list.insert(place, index, place._lit_new(child))
    elif isinstance(place, Dict):
        place[key] = child
        for later in [name for name in list(dict.keys(place))[index:] if name != key]:
            dict.__setitem__(place, later, dict.pop(place, later))
    else:
        place._lit_state.pop(key, None)
        place.__dict__.pop(key, None)
        place._lit_hang(key, child)
