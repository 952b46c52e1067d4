"""Names of the older framework that apps and their tests import.  Nothing of ours uses them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from typing import Any, NoReturn

from ..base.errors import ComponentError, LightningError
from ..base.log import Log
from .app import LightningApp
from .binding import free_port as find_free_network_port
from .component import Component
from .flow import LightningFlow
from .work import LightningWork

__all__ = [
    "CloudOnly",
    "CloudRuntime",
    "FileUploader",
    "InvalidPathException",
    "LightningClient",
    "LightningPlugin",
    "LocalSourceCodeDir",
    "LogLinesLimitExceeded",
    "Logger",
    "ParentUnknown",
    "RuntimeType",
    "_LightningAppRef",
    "_get_project",
    "_set_context",
    "find_free_network_port",
    "is_overridden",
    "is_running_in_cloud",
    "pretty_state",
]

GONE = "talks to the older framework's cloud, which is gone: run the app here, or on an engine of your own."


class CloudOnly(LightningError, RuntimeError):
    """Something that only the older framework's cloud had."""


class ParentUnknown(ComponentError, ValueError):
    """Without a parent class nobody can say what was overridden."""


class RuntimeType(Enum):
    """Where an app runs, in the older framework's words."""

    MULTIPROCESS = "multiprocess"
    CLOUD = "cloud"


def is_overridden(method_name: str, instance: Any = None, parent: type | None = None) -> bool:
    """Whether the instance's class has its own version of a method.

    Args:
        method_name: the method.
        instance: a component, or any object if `parent` is given; None is never overridden.
        parent: the class to compare with; LightningFlow or LightningWork for components.

    Raises:
        ParentUnknown: (ValueError) no parent was given and the instance is no component.
    """
    if instance is None:
        return False
    if parent is None:
        parent = next((kind for kind in (LightningFlow, LightningWork, Component) if isinstance(instance, kind)), None)
    if parent is None:
        raise ParentUnknown(f"Expected a parent: {type(instance).__name__} is neither a flow nor a work, so name one.")
    own, inherited = getattr(type(instance), method_name, None), getattr(parent, method_name, None)
    return own is not None and inherited is not None and _function(own) is not _function(inherited)


def _function(method: Any) -> Any:
    while (inner := getattr(method, "__wrapped__", None) or getattr(method, "plain", None)) is not None:
        method = inner
    return method


def pretty_state(state: dict[str, Any]) -> dict[str, Any]:
    """A state for people: public variables only, empty parts left out."""
    shown: dict[str, Any] = {}
    public = {name: value for name, value in state.get("vars", {}).items() if not name.startswith("_")}
    if public:
        shown["vars"] = public
    for part in ("flows", "works", "structures"):
        below = {name: pretty_state(child) for name, child in state.get(part, {}).items()}
        if below:
            shown[part] = below
    return shown


class Logger:
    """Writes `INFO: …` lines on stderr; messages take `%` arguments as in Python's logging.

    Args:
        name: usually `__name__`; kept, not shown.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._log = Log()

    def debug(self, message: Any, *args: Any, **options: Any) -> None:
        """Not shown."""
        self._log.debug(_filled(message, args))

    def info(self, message: Any, *args: Any, **options: Any) -> None:
        """Say something."""
        self._log.info(_filled(message, args))

    def warn(self, message: Any, *args: Any, **options: Any) -> None:
        """Warn of something."""
        self._log.warning(_filled(message, args))

    warning = warn

    def error(self, message: Any, *args: Any, **options: Any) -> None:
        """Tell of an error."""
        self._log.error(_filled(message, args))


def _filled(message: Any, args: tuple[Any, ...]) -> str:
    return str(message) % args if args else str(message)


class _AppRef(type):
    @property
    def _app_instance(cls) -> LightningApp | None:
        return LightningApp.current


class _LightningAppRef(metaclass=_AppRef):
    """The app that was made last in this process."""

    @classmethod
    def get_current(cls) -> LightningApp | None:
        """The app, or None."""
        return LightningApp.current


def _set_context(name: str | None) -> AbstractContextManager[None]:
    """Has no effect: which side of an app some code runs on is known from where it runs."""
    return nullcontext()


def is_running_in_cloud() -> bool:
    """There is no cloud."""
    return False


def _get_project(*args: Any, **kwargs: Any) -> NoReturn:
    """Raises CloudOnly."""
    raise CloudOnly(f"_get_project {GONE}")


class _OfTheCloud:
    """Raises CloudOnly wherever one is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise CloudOnly(f"{type(self).__name__} {GONE}")


class LightningClient(_OfTheCloud):
    """The client of the older framework's cloud: raises CloudOnly."""


class CloudRuntime(_OfTheCloud):
    """Ran apps in the older framework's cloud: raises CloudOnly."""


class LightningPlugin(_OfTheCloud):
    """Submitted apps to the older framework's cloud: may be derived from, and raises CloudOnly when one is made."""


class LocalSourceCodeDir(_OfTheCloud):
    """Packed code for the older framework's cloud: raises CloudOnly."""


class FileUploader(_OfTheCloud):
    """Sent files to the older framework's cloud: raises CloudOnly."""


class InvalidPathException(LightningError):
    """Nothing raises it here; people's code catches it."""


class LogLinesLimitExceeded(LightningError):
    """Nothing raises it here; people's code catches it."""
