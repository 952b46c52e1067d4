"""`lightning.app.storage.payload`."""

from lightning_apps.storage.payload import Payload, _BasePayload

__all__ = ["Payload", "_BasePayload"]
