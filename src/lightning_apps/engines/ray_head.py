"""`python -m lightning_apps.engines.ray_head FOLDER WORDS…`: `ray start` in the foreground, which ends when all have ended that started it.

Standard input is a pipe that its starter holds open, and whoever was forked from that: when the last of them is gone, however it went, so
is the cluster.  Ray's folder is locked meanwhile, so that somebody later may remove what was left of it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from typing import NoReturn

from .minding import tidying


def main() -> NoReturn:
    """Be the head of a cluster."""
    folder, *words = sys.argv[1:]
    os.set_inheritable(tidying.use(folder), True)  # Ray's own processes hold it as well
    threading.Thread(target=_end_with_starter, daemon=True).start()
    sys.argv = ["ray", *words]
    sys.exit(importlib.import_module("ray.scripts.scripts").main())


def _end_with_starter() -> None:
    while os.read(0, 1):
        """Nothing is said there."""
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
