"""The processes that a process has started, as older components ask for them.  Ends none of them."""

from __future__ import annotations

from ..engines.process_tree import table


def collect_child_process_pids(pid: int) -> list[int]:
    """All descendants of a process, parents before their children; zombies are left out."""
    below: dict[int, list[int]] = {}
    for process in table().values():
        if not process.zombie:
            below.setdefault(process.parent, []).append(process.pid)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        young = sorted(below.get(waiting.pop(0), []))
        found += young
        waiting += young
    return found
