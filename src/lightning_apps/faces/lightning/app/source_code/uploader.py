"""`lightning.app.source_code.uploader`."""

from lightning_apps.model.legacy import FileUploader

__all__ = ["FileUploader"]
