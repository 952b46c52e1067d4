"""`lightning.app.structures`: lists and dicts of components."""

from lightning_apps.model.containers import Dict, List

__all__ = ["Dict", "List"]
