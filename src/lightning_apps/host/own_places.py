"""Processes that the host itself starts, for engines that start none on this machine.  They end with the host."""

from __future__ import annotations

import os
import signal
import threading

import msgspec

from ..base.messages import Event, Exited, Refused
from ..engines import process_tree
from ..ports import Placement, Report
from .spawn import spawn_worker

ENTRY = ("-m", "lightning_apps.worker.spawned")


class OwnPlaces:
    """Children of this process.

    Args:
        report: is told of their ends; called on any thread.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._pids: dict[str, int] = {}
        self._waiters: list[threading.Thread] = []

    def place(self, order: Placement) -> None:
        """Start one."""
        try:
            pid = spawn_worker(msgspec.structs.replace(order, out="", err=""), ENTRY)  # nobody follows files here
        except OSError as error:
            self._report(Refused(order.place, f"{order.work} cannot be started: {error.strerror}."))
            return
        self._pids[order.place] = pid
        waiter = threading.Thread(target=self._wait, args=(order.place, pid), name="lightning-child", daemon=True)
        self._waiters.append(waiter)
        waiter.start()

    def _wait(self, place: str, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        self._pids.pop(place, None)
        code = os.waitstatus_to_exitcode(status)
        ended: Event = Exited(place, code) if code >= 0 else Exited(place, signal=-code)
        self._report(ended)

    def stop(self, place: str, grace: float) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds."""
        pid = self._pids.get(place)
        if pid is not None:
            process_tree.send_signal(pid, signal.SIGTERM)
            timer = threading.Timer(grace, self._kill, (place, pid))
            timer.daemon = True
            timer.start()

    def _kill(self, place: str, pid: int) -> None:
        if self._pids.get(place) == pid:
            process_tree.send_signal(pid, signal.SIGKILL)

    def close(self, grace: float) -> None:
        """End all of them; returns when they are gone."""
        for place in list(self._pids):
            self.stop(place, grace)
        for waiter in self._waiters:
            waiter.join(grace + 1.0)
