"""What tests of the older framework used to drive apps in its cloud.  There is none: the names can be imported, and say so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..base import settings
from ..model.legacy import GONE, CloudOnly

__all__ = ["_Config", "delete_cloud_lightning_apps", "run_app_in_cloud", "wait_for"]

LONGEST = 600.0  # seconds


class _FromEnvironment(type):
    """Reads a variable when its attribute is asked for."""

    variables = {
        "id": ("LIGHTNING_USER_ID", None),
        "key": ("LIGHTNING_API_KEY", None),
        "url": ("LIGHTNING_CLOUD_URL", "https://lightning.ai"),
        "api_key": ("LIGHTNING_API_KEY", None),
        "username": ("LIGHTNING_USERNAME", None),
        "video_location": ("VIDEO_LOCATION", "./artifacts/videos"),
        "har_location": ("HAR_LOCATION", "./artifacts/hars"),
        "slowmo": ("SLOW_MO", "0"),
    }

    def __getattr__(cls, name: str) -> str | None:
        if name not in cls.variables:
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        variable, default = cls.variables[name]
        return settings.environ().get(variable, default)


class _Config(metaclass=_FromEnvironment):
    """Where browser tests found the cloud, and put their recordings; read from the environment."""

    def __getattr__(self, name: str) -> str | None:
        found: str | None = getattr(type(self), name)
        return found


def run_app_in_cloud(
    app_folder: str, app_name: str = "app.py", extra_args: Sequence[str] = (), debug: bool = True
) -> NoReturn:
    """Raises CloudOnly.  For an app that really runs, `application_testing` or the fixture `running_app` take its place."""
    raise CloudOnly(f"run_app_in_cloud({app_folder!r}) {GONE}")


def delete_cloud_lightning_apps(name: str | None = None) -> NoReturn:
    """Raises CloudOnly."""
    raise CloudOnly(f"delete_cloud_lightning_apps {GONE}")


def wait_for(page: Any, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `callback(*args, **kwargs)` until it returns something true, which is returned; needs no cloud.

    Args:
        page: a page of playwright's; it is reloaded when the callback raises an error of playwright's.
        callback: looks at the page.

    Raises:
        TimeoutError: it was not true within ten minutes.
    """
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        try:
            if found := callback(*args, **kwargs):
                return found
        except Exception as error:
            if not type(error).__module__.startswith("playwright."):
                raise
            page.reload()
        time.sleep(0.1)
    raise TimeoutError(f"{getattr(callback, '__name__', callback)} was not true within {LONGEST:g} s.")
