"""Starts workers as fresh interpreters.  Knows nothing of when and why."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence

import msgspec

from ..base.settings import environ
from ..engines.process_tree import PLACE_MARK, mark_of
from ..ports import Placement


def spawn_worker(order: Placement, entry: Sequence[str]) -> int:
    """Execute `entry` in a session of its own; its order (with the token) is its standard input.

    Raises:
        OSError: it could not be started.
    """
    with tempfile.TemporaryFile() as file:
        file.write(msgspec.msgpack.encode(order))
        file.flush()
        file.seek(0)
        return _execute(order, entry, file.fileno())


def _execute(order: Placement, entry: Sequence[str], stdin: int) -> int:
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [(os.POSIX_SPAWN_DUP2, stdin, 0)]
    for number, path in ((1, order.out), (2, order.err)):
        if path:
            actions.append((os.POSIX_SPAWN_OPEN, number, path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    return os.posix_spawn(
        sys.executable,
        [sys.executable, *entry],
        {**environ(), **order.env, PLACE_MARK: mark_of(order.place, order.address)},
        file_actions=actions,
        setsid=True,
        setsigmask=(),
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE],
    )
