"""Whether optional packages are installed, under the names of the older framework.  Imports none of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import Any, TypeVar

from ..base.errors import LightningError

F = TypeVar("F", bound=Callable[..., Any])


class PackageMissing(LightningError, ModuleNotFoundError):
    """An optional package is not installed; the sentence holds the pip line."""


def module_available(path: str) -> bool:
    """Whether a module such as "a.b" could be imported."""
    try:
        return find_spec(path) is not None
    except (ImportError, ValueError):
        return False


def requires(module_paths: str | list[str]) -> Callable[[F], F]:
    """A decorator: calling the function raises while one of these modules is missing.

    Raises:
        PackageMissing: (ModuleNotFoundError) at the call.
    """
    wanted = [module_paths] if isinstance(module_paths, str) else list(module_paths)

    def decorate(function: F) -> F:
        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            missing = [f"'{path}'" for path in wanted if not module_available(path)]
            if missing:
                line = "pip install " + " ".join(missing)
                raise PackageMissing(f"Required dependencies not available. Please run: {line}")
            return function(*args, **kwargs)

        return checked  # type: ignore[return-value]

    return decorate


def _asks(path: str) -> Callable[[], bool]:
    def available() -> bool:
        return module_available(path)

    available.__doc__ = f"Whether {path} is installed."
    return available


_is_aiohttp_available = _asks("aiohttp")
_is_docker_available = _asks("docker")
_is_gradio_available = _asks("gradio")
_is_jinja2_available = _asks("jinja2")
_is_json_argparse_available = _asks("jsonargparse")
_is_lightning_flash_available = _asks("flash")
_is_numpy_available = _asks("numpy")
_is_param_available = _asks("param")
_is_playwright_available = _asks("playwright")
_is_pytorch_lightning_available = _asks("pytorch_lightning")
_is_redis_available = _asks("redis")
_is_s3fs_available = _asks("s3fs")
_is_sqlmodel_available = _asks("sqlmodel")
_is_streamlit_available = _asks("streamlit")
_is_torch_available = _asks("torch")
_is_torchvision_available = _asks("torchvision")
