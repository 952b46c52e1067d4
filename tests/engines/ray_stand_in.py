"""The stand-in host of `host/stand_in.py` for works on a Ray cluster: `python ray_stand_in.py JSON`.  Workers execute texts."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec

from engines.near import Near
from engines.queue_desk import QueueDesk
from lightning_apps.base import settings as all_settings
from lightning_apps.base.log import Log
from lightning_apps.engines.gangs import Where
from lightning_apps.engines.minding.minder import Assignment
from lightning_apps.engines.ray_launcher import RayLauncher
from lightning_apps.engines.remote import RemoteEngine
from lightning_apps.host import distant
from lightning_apps.host.run_folder import RunFolder
from lightning_apps.ports import Placement

WORKER = """
import msgspec, os, signal, sys, time
from lightning_apps.ports import Placement
order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Placement)
os.chdir(os.environ["FOLDER"])
exec(os.environ["BODY"], {"place": order.place, "os": os, "time": time, "signal": signal, "sys": sys})
"""


class Texts(RayLauncher):
    """Has texts executed in place of works."""

    def launch(self, order: Placement, assignment: Assignment, avoid: frozenset[str], where: Where) -> None:
        super().launch(order, msgspec.structs.replace(assignment, entry=("-c", WORKER)), avoid, where)


class FolderDesk(QueueDesk):
    """Workers are told where this test's folder is."""

    patience = 60.0  # Ray on a machine that is busy takes its time

    def order(self, name: str, **more: Any) -> Placement:
        return super().order(name, env={"BODY": self.works[name], "FOLDER": self.folder}, **more)


def main(order: dict[str, Any]) -> int:
    run = f"run-{uuid.uuid4().hex}"  # its actors are known by this name in the whole cluster
    folder = RunFolder(os.path.join(order["folder"], run))
    os.makedirs(folder.logs)
    os.makedirs(os.path.join(order["folder"], "logs"))
    settings = distant.settled(all_settings.load(**order["settings"]), folder)
    at = distant.desk_at(settings, folder)
    launcher = Texts(settings, Log(), folder.path, folder.id)
    engine = RemoteEngine(launcher, Near(), settings, Log(), at, folder.path, folder.secret())
    desk = FolderDesk(engine, order["folder"], order["works"], "")
    try:
        exec(order["host"], {"desk": desk, "os": os, "time": time, "signal": signal, "sys": sys})
    finally:  # others use this cluster too
        engine.close(settings.grace)
        while not engine.closed:
            desk.hear(0.1)
        engine.let_go()
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
