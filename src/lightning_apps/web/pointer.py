"""JSON Pointers (RFC 6901) into the shape of `app.state`, as components and paths.  Pure."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from ..base.errors import CannotEdit

Place = tuple[str, tuple[Any, ...]]


def tokens_of(pointer: str) -> list[str]:
    """The parts of a pointer.

    Raises:
        CannotEdit: it does not begin with "/".
    """
    if not pointer.startswith("/"):
        raise CannotEdit(f"{pointer!r} is no JSON Pointer: it has to begin with a slash, as in /vars/lr.")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def pointer_of(tokens: Sequence[Any]) -> str:
    """The counterpart of `tokens_of`."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def place_of(tokens: Sequence[Any], components: Container[str]) -> Place:
    """The component that the tokens lead to, and what is left of them below its attributes.

    Args:
        tokens: as ["flows", "train", "vars", "lr"].
        components: the names of those that there are.

    Raises:
        CannotEdit: they lead to no attribute of a component.
    """
    name, rest = "root", list(tokens)
    while rest and rest[0] in ("flows", "works", "structures"):
        steps = 4 if rest[0] == "structures" else 2
        if len(rest) < steps:
            break
        name += f".{rest[1]}.{rest[3]}" if steps == 4 else f".{rest[1]}"
        del rest[:steps]
    if name not in components:
        raise CannotEdit(f"The app has no component {name!r}.")
    if len(rest) < 2 or rest[0] != "vars":
        raise CannotEdit(f"{pointer_of(tokens)} is no attribute: those of {name} are below /vars.")
    return name, tuple(rest[1:])
