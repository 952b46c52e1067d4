"""`lightning.app.utilities.imports`: what is installed."""

from lightning_apps.model.legacy_packages import (
    _is_aiohttp_available,
    _is_docker_available,
    _is_gradio_available,
    _is_jinja2_available,
    _is_json_argparse_available,
    _is_lightning_flash_available,
    _is_numpy_available,
    _is_param_available,
    _is_playwright_available,
    _is_pytorch_lightning_available,
    _is_redis_available,
    _is_s3fs_available,
    _is_sqlmodel_available,
    _is_streamlit_available,
    _is_torch_available,
    _is_torchvision_available,
    requires,
)
from lightning_apps.model.legacy_packages import module_available as _module_available

__all__ = [
    "_is_aiohttp_available",
    "_is_docker_available",
    "_is_gradio_available",
    "_is_jinja2_available",
    "_is_json_argparse_available",
    "_is_lightning_flash_available",
    "_is_numpy_available",
    "_is_param_available",
    "_is_playwright_available",
    "_is_pytorch_lightning_available",
    "_is_redis_available",
    "_is_s3fs_available",
    "_is_sqlmodel_available",
    "_is_streamlit_available",
    "_is_torch_available",
    "_is_torchvision_available",
    "_module_available",
    "requires",
]
