"""A small host, worker and app for tests of the keeper: `python stand_in.py JSON`.  The bodies are source texts.

JSON: settings, folder, load, host, works {name: source}, embedded.  In the texts of workers `place` is there; in the
host's `desk`, in the app file's nothing.
"""

from __future__ import annotations

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interrupt in the middle of an import is no fun; as the CLI does

import json
import os
import select
import sys
import time
from typing import Any, NoReturn

import msgspec

from lightning_apps.base import settings as all_settings
from lightning_apps.base.errors import UsageError
from lightning_apps.base.log import Log
from lightning_apps.base.messages import Exited, Started
from lightning_apps.engines.channel import Channel
from lightning_apps.engines.local import LocalEngine
from lightning_apps.host import signals, zygote
from lightning_apps.host.keeper import Keeper
from lightning_apps.host.starter import Child
from lightning_apps.ports import Placement

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}


class Desk:
    """What the stand-in host's text works with."""

    patience = 20.0  # seconds until what is waited for has to be there

    def __init__(self, engine: LocalEngine, folder: str, works: dict[str, str], method: str) -> None:
        self.engine, self.folder, self.works, self.method = engine, folder, works, method
        self.events: list[Any] = []
        self._readers: dict[int, Any] = {}
        engine.open(self.heard, self)

    def heard(self, event: Any) -> None:
        """What the engine reports, here on the thread that asks for it."""
        self.events.append(event)

    def watch(self, descriptor: int, callback: Any) -> None:
        self._readers[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        del self._readers[descriptor]

    def order(self, name: str, **more: Any) -> Placement:
        logs = os.path.join(self.folder, "logs")
        out, err = (os.path.join(logs, f"root.{name}.{stream}") for stream in ("out", "err"))
        fields = {"out": out, "err": err, "start_method": self.method, "env": {"BODY": self.works[name]}, **more}
        return Placement(place=f"root.{name}@1", work=f"root.{name}", address=self.folder, token="", **fields)

    def place(self, name: str, **more: Any) -> None:
        self.engine.place(self.order(name, **more))

    def of(self, kind: type, name: str) -> Any:
        return next((e for e in self.events if isinstance(e, kind) and e.place == f"root.{name}@1"), None)

    def hear(self, seconds: float | None = None) -> None:
        for descriptor in select.select(list(self._readers), [], [], seconds)[0]:
            self._readers[descriptor]()

    def until(self, condition: Any, seconds: float | None = None) -> Any:
        deadline = time.monotonic() + (seconds or self.patience)
        while not (value := condition()):
            assert time.monotonic() < deadline, f"waited in vain, have {self.events}"
            self.hear(0.5)
        return value

    def start(self, *names: str, **more: Any) -> None:
        for name in names:
            self.place(name, **more)
        self.until(lambda: all(self.of(Started, name) for name in names))

    def ended(self, name: str) -> Exited:
        found: Exited = self.until(lambda: self.of(Exited, name))
        return found


def host(order: dict[str, Any], channel: Channel, settings: Any) -> int:
    engine = LocalEngine(channel, settings, Log())
    desk = Desk(engine, order["folder"], order["works"], settings.start_method)
    asked: list[str] = []

    def interrupt(name: str) -> None:
        asked.append(name)
        if len(asked) == 1:
            raise KeyboardInterrupt

    restore = signals.install(interrupt)
    code = 0
    try:
        exec(order["host"], {"desk": desk, "os": os, "time": time, "signal": signal, "sys": sys})
    except KeyboardInterrupt:
        code = CODES[asked[0]] if asked else 130
    engine.close(settings.grace)
    while not engine.closed:
        desk.hear(0.5)
    with open(os.path.join(order["folder"], "events.txt"), "w") as file:
        file.writelines(f"{event}\n" for event in desk.events)
    restore()
    return code


def worker(order: Placement, component: Any) -> NoReturn:
    exec(order.env["BODY"], {"place": order.place, "os": os, "time": time, "signal": signal, "sys": sys})
    sys.exit(0)


def load(order: dict[str, Any], quiet: bool) -> Any:
    exec(order["load"], {"quiet": quiet, "os": os, "time": time, "sys": sys, "UsageError": UsageError})
    return None


def main(order: dict[str, Any]) -> int:
    settings = all_settings.load(**order["settings"])
    bodies = zygote.Bodies(
        lambda quiet: load(order, quiet),
        lambda app, channel: host(order, channel, settings),
        worker,
        entry=(__file__, "--spawned"),
    )
    logs = os.path.join(order["folder"], "logs")
    os.makedirs(logs, exist_ok=True)
    if not order["embedded"]:
        try:
            return Keeper(bodies, settings, Log(), logs, None).run()
        except UsageError as error:
            print(f"Error: {error}", file=sys.stderr)
            return error.exit_code
    ours, theirs = Channel.pair()
    parent = os.getpid()

    def keep() -> int:
        ours.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os._exit(Keeper(bodies, settings, Log(), logs, Child(parent, theirs)).run())

    keeper = zygote.fork(keep)
    theirs.close()
    with open(os.path.join(order["folder"], "keeper.pid"), "w") as file:
        file.write(str(keeper))
    code = host(order, ours, settings)
    ours.close()
    os.waitpid(keeper, 0)
    return code


if __name__ == "__main__":
    if sys.argv[1] == "--spawned":
        worker(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Placement), None)
    sys.exit(main(json.loads(sys.argv[1])))
