"""What `import lightning as L` has: our names, and the training library's where it is installed."""

from lightning.fabric.fabric import Fabric as Fabric
from lightning.fabric.utilities.seed import seed_everything as seed_everything
from lightning.pytorch.callbacks import Callback as Callback
from lightning.pytorch.core import LightningDataModule as LightningDataModule
from lightning.pytorch.core import LightningModule as LightningModule
from lightning.pytorch.trainer import Trainer as Trainer

from lightning_apps.model.gang import Gang as Gang

from . import app as app
from .app import BuildConfig as BuildConfig
from .app import CloudCompute as CloudCompute
from .app import LightningApp as LightningApp
from .app import LightningFlow as LightningFlow
from .app import LightningWork as LightningWork
from .app import api as api
from .app import cli as cli
from .app import frontend as frontend
from .app import runners as runners
from .app import storage as storage
from .app import structures as structures
from .app import testing as testing
from .app import utilities as utilities

__version__: str
