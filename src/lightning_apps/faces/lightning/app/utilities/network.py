"""`lightning.app.utilities.network`."""

from lightning_apps.model.legacy import LightningClient, find_free_network_port

__all__ = ["LightningClient", "find_free_network_port"]
