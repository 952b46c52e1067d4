"""Runs on a cluster whose processes are killed, and that are taken up again: everything is done, once.  Judged by what works wrote."""

from __future__ import annotations

import pytest

from conftest import CommandLine
from durability.test_kills import Run, kill_a_work_in_a_call, kill_everything, kill_the_host, survive

pytestmark = pytest.mark.slow


def test_it_is_done_whatever_is_killed_and_taken_up_again(command_line: CommandLine, ray_here: dict[str, str]) -> None:
    way = {**ray_here, "LIGHTNING_ENGINE": "ray", "LIGHTNING_REMOTE_ORPHAN_LIMIT": "30"}

    blows = [kill_a_work_in_a_call, kill_everything, kill_the_host, kill_everything]

    told = survive(Run(command_line, 40, 6, way=way), blows)

    assert told["hosts"] > 2
    assert told["begun"] > told["calls"]
