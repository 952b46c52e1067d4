"""A cluster that the tests of this folder share: one that broke it mends it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from engines.distant.ray_cluster import RayCluster
from lab import Lab, cannot


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    """Ray on four machines of a lab."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    if reason := cannot():
        pytest.skip(reason)
    with Lab(4) as lab:
        made = RayCluster(lab)
        try:
            made.start()
            yield made
        finally:
            made.end()
