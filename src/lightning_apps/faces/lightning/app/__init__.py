"""`lightning.app`, also known as `lightning_app`: what an app is written with."""

from typing import TYPE_CHECKING

from lightning_apps import PROJECT_ROOT as _PROJECT_ROOT
from lightning_apps import __version__
from lightning_apps.faces.lazy import submodules
from lightning_apps.faces.running import LightningApp
from lightning_apps.model.compute import BuildConfig, CloudCompute, Gang
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.work import LightningWork

if TYPE_CHECKING:
    from lightning_apps.model.legacy import LightningPlugin as LightningPlugin

    from . import api as api
    from . import cli as cli
    from . import core as core
    from . import frontend as frontend
    from . import pdb as pdb
    from . import plugin as plugin
    from . import runners as runners
    from . import source_code as source_code
    from . import storage as storage
    from . import structures as structures
    from . import testing as testing
    from . import utilities as utilities
else:
    __getattr__ = submodules(__name__, LightningPlugin="lightning_apps.model.legacy")

__all__ = ["BuildConfig", "CloudCompute", "Gang", "LightningApp", "LightningFlow", "LightningWork", "__version__"]
