"""The stand-in host of `host/stand_in.py` for an engine within one process: `python inline_stand_in.py JSON`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engines.queue_desk import QueueDesk
from lightning_apps.base import settings as all_settings
from lightning_apps.engines.inline import InlineEngine
from lightning_apps.ports import Placement


class Halted(SystemExit):
    """What unwinds a worker that was told to end."""


class Runner:
    """Executes a text until it ends, or is halted while it rests."""

    def __init__(self, order: Placement) -> None:
        self.order, self.halted = order, threading.Event()

    def serve(self) -> None:
        exec(self.order.env["BODY"], {"place": self.order.place, "os": os, "time": time, "sys": sys, "rest": self.rest})

    def rest(self) -> None:
        self.halted.wait()
        raise Halted

    def halt(self) -> None:
        self.halted.set()


def main(order: dict[str, Any]) -> int:
    settings = all_settings.load(**order["settings"])
    engine = InlineEngine(settings)
    engine.use(Runner)
    desk = QueueDesk(engine, order["folder"], order["works"], "")
    exec(order["host"], {"desk": desk, "os": os, "time": time, "sys": sys})
    engine.close(settings.grace)
    while not engine.closed:
        desk.hear(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
