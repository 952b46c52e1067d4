"""Apps made of flows and works.  Importing this claims the names `lightning` and `lightning_app`, nothing else.

Every interpreter of an environment imports this file at its start (a `.pth` line does), so it has to stay cheap.
PYTEST_DONT_REWRITE: else pytest, which loads our plugin, warns that this was imported before it could rewrite it.
"""

import os

from . import finder

__version__ = "0.1.0"
PROJECT_ROOT = os.path.dirname(os.path.abspath(__file__))
__all__ = [
    "BuildConfig",
    "CloudCompute",
    "Gang",
    "LightningApp",
    "LightningFlow",
    "LightningWork",
    "__version__",
    "structures",
]

finder.install()


def __getattr__(name: str) -> object:
    """The names of `lightning.app`, loaded when they are first asked for."""
    if name in __all__:
        from importlib import import_module

        value: object = getattr(import_module("lightning.app"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
