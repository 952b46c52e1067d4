"""Tracebacks as their authors want them: their own frames, not ours.  Knows where this package lies, nothing else."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import TracebackType
from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def ours(filename: str) -> bool:
    """Whether a frame's file belongs to this package."""
    return os.path.abspath(filename).startswith(PACKAGE)


def user_traceback(error: BaseException) -> str:
    """The traceback of `error` from the first frame that is not ours, with causes, as one text."""
    whole = traceback.TracebackException(type(error), error, _trimmed(error.__traceback__))
    seen: set[int] = set()
    link: traceback.TracebackException | None = whole
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        kept = [frame for frame in link.stack if not ours(frame.filename)]
        link.stack[:] = kept or link.stack
        link = link.__cause__ or link.__context__
    return "".join(whole.format())


def _trimmed(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None and ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def deepest(error: BaseException, kind: type) -> Any:
    """The `self` of the innermost frame whose `self` is of this kind, or None."""
    found, trace = None, error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, kind):
            found = owner
        trace = trace.tb_next
    return found


def place_in_user_code(frame: Any = None) -> str:
    """ "app.py:41" of the innermost frame, from `frame` (the caller's) outwards, that is not ours."""
    frame = sys._getframe(1) if frame is None else frame
    while frame is not None and ours(frame.f_code.co_filename):
        frame = frame.f_back
    return "" if frame is None else f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def how_it_ended(code: int | None, number: int | None, told_to: bool = False) -> str:
    """ "was ended by SIGKILL (9)" or "ended with exit code 3"; `told_to` is whether we had told it to end."""
    if told_to and number == getattr(signal, "SIGKILL", 9):
        return "did not end when it was told to, and was killed"
    if number:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "signal"
        hint = " (out of memory?)" if number == getattr(signal, "SIGKILL", 9) else ""
        return f"was ended by {name} ({number}){hint}"
    return f"ended with exit code {code}" if code is not None else "ended"
