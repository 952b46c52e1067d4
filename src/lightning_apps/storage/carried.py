"""Loads the types whose values travel with files, so that states which hold some can be read.  For readers of runs."""

from .drive import Drive
from .path import Path
from .payload import Payload

__all__ = ["Drive", "Path", "Payload"]
