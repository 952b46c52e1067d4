"""The arguments of a call: as bytes for another process, and as words for people.  Knows nothing of calls' lives."""

from __future__ import annotations

import pickle
from typing import Any

from ..base.errors import CannotSend
from ..base.rich import dumps
from ..model.work import LightningWork


def dump_arguments(work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Arguments as they are now, on their way to another process.

    Raises:
        CannotSend: something in them does not pickle.
    """
    try:
        return dumps((args, kwargs))
    except Exception as error:
        shown = describe_arguments(args, kwargs)
        raise CannotSend(f"The arguments of {work.name}.run{shown} cannot be sent to its process: {error}.") from None


def describe_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """ "(0.1, epochs=3)", shortened."""
    try:
        text = ", ".join([*(repr(a) for a in args), *(f"{k}={v!r}" for k, v in kwargs.items())])
    except Exception:
        text = "…"
    return f"({text if len(text) <= 120 else text[:117] + '…'})"


def describe(call: Any) -> str:
    """ "run(lr=0.1)"; the arguments are read back for it."""
    try:
        args, kwargs = pickle.loads(call.arguments)
    except Exception:
        return "run(…)"
    return "run" + describe_arguments(args, kwargs)
