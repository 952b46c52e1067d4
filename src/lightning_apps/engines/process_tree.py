"""Processes as the operating system shows them: who started whom, who is alive.  Knows nothing of works."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable

import msgspec

PLACE_MARK = "LIGHTNING_PLACE"  # the variable that every worker, and what it executes, carries
PR_SET_CHILD_SUBREAPER = 36


class Process(msgspec.Struct, frozen=True):
    """One line of the table of processes; `started` tells two uses of one number apart."""

    pid: int
    parent: int
    session: int
    started: str
    zombie: bool


def become_subreaper() -> bool:
    """Orphans among this process's descendants become its children (Linux); returns whether that holds."""
    if not sys.platform.startswith("linux"):
        return False
    return bool(_libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


@functools.cache
def _libc() -> ctypes.CDLL:
    """Opened once, before any fork: a quarter of a millisecond that no forked worker has to spend."""
    return ctypes.CDLL(None, use_errno=True)


def table() -> dict[int, Process]:
    """All processes, from /proc, else from `ps`."""
    if not os.path.isdir("/proc/self"):
        return _table_of_ps()
    found = (_read_stat(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return {process.pid: process for process in found if process is not None}


def _read_stat(pid: str) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Process(int(pid), int(fields[1]), int(fields[3]), fields[19].decode(), fields[0] in b"ZX")


def _table_of_ps() -> dict[int, Process]:
    with os.popen("ps -A -o pid= -o ppid= -o pgid= -o stat= -o lstart=") as output:
        rows = [line.split(None, 4) for line in output]
    found = [Process(int(r[0]), int(r[1]), int(r[2]), r[4], r[3].startswith("Z")) for r in rows if len(r) == 5]
    return {process.pid: process for process in found}


def look(pid: int) -> Process | None:
    """One process, or None if there is none of this number."""
    return _read_stat(str(pid)) if os.path.isdir("/proc/self") else table().get(pid)


def is_alive(process: Process) -> bool:
    """Whether this very process still runs (a zombie does not)."""
    now = look(process.pid)
    return now is not None and now.started == process.started and not now.zombie


def children(pid: int) -> set[int]:
    """Direct children of a process, zombies included."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        return {child for thread in threads for child in _children_of_thread(pid, thread)}
    except OSError:
        return {process.pid for process in table().values() if process.parent == pid}


def _children_of_thread(pid: int, thread: str) -> list[int]:
    with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
        return [int(word) for word in file.read().split()]


def descendants(roots: Iterable[int]) -> set[int]:
    """Everything below these processes, without them."""
    found: set[int] = set()
    below = list(roots)
    while below:
        fresh = children(below.pop()) - found
        found |= fresh
        below += fresh
    return found


def mark_of(place: str, address: str) -> str:
    """The value of PLACE_MARK: no two apps on this machine have the same, whatever their works are called."""
    return f"{place} of {address}"


def belonging(roots: dict[int, str], processes: dict[int, Process]) -> dict[int, Process]:
    """What is below, or in the session of, or marked by, these workers (pid to mark), without them and without us."""
    found = {pid for pid, process in processes.items() if process.session in roots}
    found |= {pid for pid in processes if mark(pid) in roots.values()}
    wanted = set(roots) | found
    grew = True
    while grew:
        fresh = {pid for pid, process in processes.items() if process.parent in wanted} - wanted
        wanted |= fresh
        grew = bool(fresh)
    return {pid: processes[pid] for pid in wanted - set(roots) - {os.getpid()} if not processes[pid].zombie}


def carriers(variable: str, value: str) -> list[Process]:
    """Every process whose environment holds this value, however it came by it (Linux; none elsewhere)."""
    return [each for pid, each in table().items() if not each.zombie and _variable(pid, variable) == value]


def mark(pid: int) -> str | None:
    """The value of PLACE_MARK a process was started with."""
    return _variable(pid, PLACE_MARK)


def _variable(pid: int, name: str) -> str | None:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    start = name.encode() + b"="
    return next((item[len(start) :].decode() for item in variables if item.startswith(start)), None)


def send_signal(pid: int, number: int) -> bool:
    """Send a signal; returns whether there was a process to get it."""
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def open_pidfd(pid: int) -> int | None:
    """A descriptor that can be read when the process has ended, where the system has such a thing."""
    if sys.platform == "linux" and hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Look every `pause` seconds; returns whether it became true.  Only for processes that are being ended."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        select.select([], [], [], pause)
    return True


def end_processes(workers: dict[int, str], grace: float, *, quickly: float = 0.5) -> None:
    """End workers (pid to mark) that are not our children, and all they started; returns when they are gone.

    For a host that lost its keeper: SIGTERM to the workers, `grace` seconds, SIGKILL, then the same for what is left.
    """
    everything = table()
    alive = {pid: everything[pid] for pid in workers if pid in everything}
    below = belonging({pid: workers[pid] for pid in alive}, everything)
    for pid in alive:
        send_signal(pid, signal.SIGTERM)
    _await_all(alive, grace)
    below |= belonging(workers, table())
    for process in filter(is_alive, below.values()):
        send_signal(process.pid, signal.SIGTERM)
    _await_all(below, min(grace, quickly))


def _await_all(processes: dict[int, Process], grace: float) -> None:
    wait_until(lambda: not any(map(is_alive, processes.values())), grace)
    for process in filter(is_alive, processes.values()):
        send_signal(process.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, processes.values())), 5.0)
