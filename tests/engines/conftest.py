"""Every test that asks for `play` or `way` runs on every way of running an app that promises what it needs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest

from engines.contract import WAYS, Player, Way
from engines.shared_ray import shared_cluster


@pytest.fixture(scope="session")
def ray_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables for apps that use a Ray cluster on loopback, which all processes of this test run share."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    own = tmp_path_factory.getbasetemp()
    with shared_cluster(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) as env:
        yield env


SLOW = {"ray"}  # a second to connect, for every app


@pytest.fixture(params=[pytest.param(way, id=way.name, marks=[pytest.mark.slow] * (way.name in SLOW)) for way in WAYS])
def way(request: pytest.FixtureRequest) -> Way:
    """An engine with settings; `@pytest.mark.needs("isolation")` leaves out those that do not promise it."""
    found: Way = request.param
    if found.name == "ray":
        found = found._replace(env={**found.env, **request.getfixturevalue("ray_here")})
    for mark in request.node.iter_markers("needs"):
        missing = set(mark.args) - found.promises
        if missing:
            pytest.skip(f"{found.name} does not promise {', '.join(sorted(missing))}")
    return found


@pytest.fixture
def play(way: Way, command_line: Any) -> Player:
    """`play(body)` runs a small app to its end on this way."""
    return Player(way, command_line)
