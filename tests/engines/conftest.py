"""Every test that asks for `play` or `way` runs on every way of running an app that promises what it needs."""

from __future__ import annotations

from typing import Any

import pytest

from engines.contract import WAYS, Player, Way


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """An engine with settings; `@pytest.mark.needs("isolation")` leaves out those that do not promise it."""
    found: Way = request.param
    for mark in request.node.iter_markers("needs"):
        missing = set(mark.args) - found.promises
        if missing:
            pytest.skip(f"{found.name} does not promise {', '.join(sorted(missing))}")
    return found


@pytest.fixture
def play(way: Way, command_line: Any) -> Player:
    """`play(body)` runs a small app to its end on this way."""
    return Player(way, command_line)
