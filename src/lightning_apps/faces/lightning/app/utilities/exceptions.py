"""`lightning.app.utilities.exceptions`: the older names of our errors."""

from lightning_apps.base.errors import AppExit as ExitAppException
from lightning_apps.base.errors import AppLoadError as MisconfigurationException
from lightning_apps.base.errors import Blocked as CacheMissException
from lightning_apps.base.errors import ComponentError as LightningComponentException
from lightning_apps.base.errors import ComponentError as LightningFlowException
from lightning_apps.base.errors import ComponentError as LightningWorkException
from lightning_apps.base.errors import EngineError as LightningPlatformException
from lightning_apps.base.errors import StateMismatch as LightningAppStateException
from lightning_apps.base.errors import WorkStopped as LightningSigtermStateException
from lightning_apps.model.legacy import InvalidPathException, LogLinesLimitExceeded

__all__ = [
    "CacheMissException",
    "ExitAppException",
    "InvalidPathException",
    "LightningAppStateException",
    "LightningComponentException",
    "LightningFlowException",
    "LightningPlatformException",
    "LightningSigtermStateException",
    "LightningWorkException",
    "LogLinesLimitExceeded",
    "MisconfigurationException",
]
