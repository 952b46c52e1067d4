"""`lightning.app.utilities.packaging.cloud_compute`."""

from lightning_apps.model.compute import CloudCompute

__all__ = ["CloudCompute"]
