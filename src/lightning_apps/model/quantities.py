"""Amounts of resources as people write and read them: sizes such as "4GiB".  Knows no machine."""

from __future__ import annotations

import math
from typing import Any

from ..base.errors import LightningError

UNITS = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
    "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40,
}  # fmt: skip


class BadCompute(LightningError, ValueError):
    """A CloudCompute, BuildConfig or Mount was given a value that it cannot have."""


class BadComputeType(LightningError, TypeError):
    """A CloudCompute, BuildConfig or Mount was given a value of the wrong type."""


def is_number(value: Any) -> bool:
    """Whether this is a finite number; `True` is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def in_bytes(size: int | str) -> int:
    """Bytes from a whole number of them or a text such as "4GiB" (4 * 2**30) or "500MB" (500 * 10**6).

    Raises:
        BadCompute: not a size; "4G" is refused, as tools disagree on what it means.
    """
    if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
        return size
    if isinstance(size, str):
        text = size.strip().upper().replace(" ", "")
        number = text.rstrip("KMGTIB")
        unit = UNITS.get(text[len(number) :] or "B")
        try:
            amount = float(number)
        except ValueError:
            amount = -1.0
        if unit and math.isfinite(amount) and amount >= 0:
            return round(amount * unit)
    raise BadCompute(f'CloudCompute(memory={size!r}) is not a size: give bytes, or a text such as "4GiB" or "500MB".')


def shown_size(size: int) -> str:
    """A number of bytes for people: "1.5 GiB"."""
    amount, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.4g} {unit}"
