"""Moments at which no thread is between changing a value and telling so.  Knows nothing of what is done at one."""

from __future__ import annotations

import sys
import threading
from typing import Any

from ..base import arrivals, values
from ..model import component

MUTATORS = frozenset({module.__file__ for module in (arrivals, values, component)})


def nobody_mutates() -> bool:
    """Whether no other thread is between changing a value and telling us so."""
    me = threading.get_ident()
    for ident, frame in sys._current_frames().items():
        here: Any = frame if ident != me else None
        while here is not None:
            if here.f_code.co_filename in MUTATORS:
                return False
            here = here.f_back
    return True
