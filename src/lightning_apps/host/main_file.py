"""What a worker in a fresh interpreter has to execute, and where it finds modules, where this process is no app's own.

Knows nothing of workers.
"""

from __future__ import annotations

import os
import sys

LOADED = "__lightning_app__"  # a global of app files that our loader executed: those are apps wherever they lie
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def app_file() -> str:
    """The script that is this process's `__main__`, or "": there is none, or it is an installed program (pytest, IPython)."""
    main = sys.modules.get("__main__")
    path = str(getattr(main, "__file__", None) or "")
    return path if hasattr(main, LOADED) or not is_program(path) else ""


def is_program(path: str) -> bool:
    """Whether a script belongs to something installed: executing it again would do that program's work again."""
    full = os.path.abspath(path)
    ours = (os.path.dirname(os.path.abspath(sys.executable)), os.path.dirname(os.path.abspath(os.__file__)))
    return any(part in full for part in INSTALLED) or full.startswith(tuple(folder + os.sep for folder in ours))


def surroundings(file: str) -> dict[str, str]:
    """Variables for a worker without an app file: it looks for modules where this process does."""
    return {} if file else {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
