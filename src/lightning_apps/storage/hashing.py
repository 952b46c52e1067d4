"""The hash by which content is known: BLAKE3 where its package is installed, else BLAKE2b (RFC 7693).  Knows no files.

A name says which of the two it is ("b3-…", "b2-…"), so that what one process wrote another can check.
"""

from __future__ import annotations

import hashlib
import re
from importlib import import_module
from typing import Any, Protocol

from ..base.errors import MissingExtra

NAME = re.compile(r"b[23]-[0-9a-f]{64}")
MANY = 1 << 20  # bytes from which hashing on several threads pays


class Hasher(Protocol):
    """Takes bytes, says their name."""

    def update(self, data: Any) -> Any: ...

    def hexdigest(self) -> str: ...


def blake3() -> Any:
    """The optional package, or None."""
    try:
        return import_module("blake3").blake3
    except ImportError:
        return None


class Digest:
    """A hash under way.

    Args:
        like: the name that is to be checked, whose kind is then used; "": the best there is.
        threads: whether to use several, for content that is in memory at once.

    Raises:
        MissingExtra: the name is of a kind whose package is not installed.
    """

    def __init__(self, like: str = "", *, threads: bool = False) -> None:
        make = None if like.startswith("b2-") else blake3()
        if make is None and like.startswith("b3-"):
            raise MissingExtra(
                "What was handed over is named by BLAKE3, whose package is not here: pip install 'lightning-apps[files]'."
            )
        self._prefix = "b2-" if make is None else "b3-"
        if make is None:
            self._hasher: Hasher = hashlib.blake2b(digest_size=32)
        else:
            self._hasher = make(max_threads=make.AUTO) if threads else make()

    def update(self, data: Any) -> None:
        """Take the next bytes."""
        self._hasher.update(data)

    @property
    def name(self) -> str:
        """The name of all that was taken."""
        return self._prefix + self._hasher.hexdigest()


def name_of(data: Any, like: str = "") -> str:
    """The name of content that is in memory."""
    digest = Digest(like, threads=memoryview(data).nbytes >= MANY)
    digest.update(data)
    return digest.name


def is_name(text: str) -> bool:
    """Whether this is a name, and not a path of somebody's invention."""
    return NAME.fullmatch(text) is not None
