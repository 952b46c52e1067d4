"""A whole life of a worker against nobody, so that the pages a real one will touch are in memory and its own.

Run in a process that was forked ahead, where it costs nobody's time; a forked process pays for each page once.  Leaves
no thread, no descriptor and no handler behind.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import tempfile
from typing import Any

from ..base import messages as m
from ..base.errors import WorkStopped
from ..model.work import LightningWork
from ..ports import Placement
from ..wire import codec
from .process import Worker, receive

TOLD = (
    m.Welcome(1, 1, {"value": [1, 2.5, "text"], "began": {"when": 0.0}}),
    m.Run(1, 1, pickle.dumps(((1,), {"last": False}), protocol=5)),
    m.Run(2, 2, pickle.dumps(((2,), {"last": True}), protocol=5)),
)


class Rehearsed(LightningWork):
    """Does a little of what works do."""

    def __init__(self) -> None:
        super().__init__(parallel=True)
        self.value: list[Any] = []
        self.began: dict[str, Any] = {}

    def run(self, number: int, last: bool) -> None:
        """Reads and writes state; the last time it ends as if it were asked to."""
        self.value.append(number)
        self.began = {"when": 1.0, "text": f"{number}"}
        if last:
            raise WorkStopped("The rehearsal is over.")


def rehearse() -> None:
    """Play it through."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = os.path.join(folder, "host")
        server.bind(path)
        server.listen()
        order = Placement(place="root.work@1", work="root.work", address=f"unix:{path}", token="", pickled=_pickled())
        worker = Worker(order, receive(order, None))
        with server.accept()[0] as host:
            host.sendall(b"".join(codec.frame(codec.dump(message)) for message in TOLD))
            _play(worker)


def _pickled() -> bytes:
    return pickle.dumps(Rehearsed(), protocol=5)


def _play(worker: Worker) -> None:
    try:
        worker.serve()
    except WorkStopped:
        """As planned."""
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        worker.close()
        worker.pump.close()
