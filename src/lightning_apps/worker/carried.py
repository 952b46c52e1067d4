"""Finds the paths, payloads and drives inside a value, and puts others in their place.  Knows nothing of where files are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..storage.drive import Drive
from ..storage.path import Path
from ..storage.payload import _BasePayload

CARRIERS = (Path, _BasePayload, Drive)


def found_in(value: Any) -> Iterator[Any]:
    """Every path and payload inside containers."""
    if isinstance(value, dict):
        for item in list(dict.values(value)):
            yield from found_in(item)
    elif isinstance(value, (list, tuple)):
        for item in list(value):
            yield from found_in(item)
    elif isinstance(value, (Path, _BasePayload)):
        yield value


def exchange(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same value with what `change` returns in the place of each path, payload and drive inside; lists and dicts stay themselves."""
    if isinstance(value, CARRIERS):
        return change(value)
    if isinstance(value, dict):
        for key, item in list(dict.items(value)):
            dict.__setitem__(value, key, exchange(item, change))
    elif isinstance(value, list):
        for index, item in enumerate(list.__iter__(value)):
            list.__setitem__(value, index, exchange(item, change))
    elif type(value) is tuple:
        return tuple(exchange(item, change) for item in value)
    return value
