"""`import lightning as L`: the names of `lightning.app`, and the training library's where it is installed."""

from lightning_apps import __version__ as apps_version
from lightning_apps.faces.lazy import top_level, training_version

NAMES = ("BuildConfig", "CloudCompute", "Gang", "LightningApp", "LightningFlow", "LightningWork")
__version__ = training_version() or apps_version
__getattr__ = top_level(NAMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES, "app"})
