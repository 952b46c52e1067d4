"""Finds the component that is meant, or says which one it could have been.  Knows nothing of apps."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..base.errors import KitError

__tracebackhide__ = True  # for pytest: a test's author is shown the test
DIGITS = re.compile(r"_*\d+")


def find(wanted: str, known: Iterable[str], what: str) -> str:
    """The one of these full names that is meant: whole, without "root.", or the only one that ends so.

    Raises:
        KitError: there is none, or more than one.
    """
    names = sorted(known)
    for exact in (wanted, f"root.{wanted}"):
        if exact in names:
            return exact
    found = [name for name in names if name.endswith(f".{wanted}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise KitError(f"The app has more than one {what} {wanted!r}: {', '.join(found)}.")
    raise KitError(f"The app has no {what} {wanted!r}{meant(wanted, names)}")


def meant(wanted: str, known: Iterable[str], none: str = "it has none") -> str:
    """How a sentence about a name that is not there ends: with the nearest one, or with those there are."""
    names = sorted(known)
    if near := _nearest(wanted, names):
        return f": did you mean {near!r}?"
    return f"; it has {', '.join(names[:8])}{' …' if len(names) > 8 else ''}." if names else f"; {none}."


def mistaken(wanted: str, known: Iterable[str]) -> bool:
    """Whether this is rather one of the names misspelt than one of its own: "trian", but not "train_2" beside "train_1"."""
    near = _nearest(wanted, known)
    return near is not None and DIGITS.sub("", wanted.rpartition(".")[2]) != DIGITS.sub("", near.rpartition(".")[2])


def _nearest(wanted: str, known: Iterable[str]) -> str | None:
    names = sorted(known)
    short = {name.removeprefix("root."): name for name in names} | {name.rpartition(".")[2]: name for name in names}
    near = difflib.get_close_matches(wanted.removeprefix("root."), short, n=1)
    return short[near[0]] if near else None


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether this full name is one of these, with or without "root."; `*` stands for anything."""
    short = name.removeprefix("root.")
    return any(fnmatchcase(name, pattern) or fnmatchcase(short, pattern) for pattern in patterns)
