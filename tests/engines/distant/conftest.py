"""A cluster that the tests of this folder share: one that broke it mends it."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator

import pytest

from engines.distant.plain_lab import PlainLab
from engines.distant.ray_cluster import RayCluster
from lab import Lab, cannot


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    """Ray on four machines of a lab, or on what stands in for them where there may be none."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    if reason := cannot():
        warnings.warn(f"{reason}; nodes on loopback stand in, and what cuts machines off is left out", stacklevel=1)
    with PlainLab(4) if reason else Lab(4) as lab:
        made = RayCluster(lab)
        try:
            made.start()
            yield made
        finally:
            made.end()
