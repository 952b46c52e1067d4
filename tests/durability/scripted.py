"""An app that uses everything that has to survive: retries, time limits, checkpoints, stops, schedules, children made while it runs."""

from __future__ import annotations

from typing import Any

from durability.world import note, pause
from lightning_apps.model.containers import List
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.retry import Backoff
from lightning_apps.model.work import LightningWork

SOON = Backoff(0.1, 1.0, 0.1, 0.0)
OFTEN = 50  # retries: works are killed from outside


class Step(LightningWork):
    """Adds up what it is given, in several ways."""

    def __init__(self, parallel: bool = False, cache_calls: bool = True) -> None:
        super().__init__(parallel=parallel, cache_calls=cache_calls, retries=OFTEN, backoff=SOON, start_with_flow=False)
        self.total = 0
        self.items: Any = []
        self.table: Any = {}
        self.started = 0

    def on_start(self) -> None:
        self.started = 1

    def run(self, number: int) -> int:
        note("begin", number)
        self.total += number
        pause()
        self.items.append(number)
        self.table[str(number)] = self.attempt > 0
        pause()
        note("end", number)
        return self.total


class Flaky(LightningWork):
    """Fails until it has got far enough; what it writes meanwhile must not stay."""

    def __init__(self) -> None:
        super().__init__(retries=OFTEN, backoff=SOON, start_with_flow=False)
        self.tries = 0
        self.rubbish: Any = []

    def run(self) -> str:
        note("begin")
        got = (self.last_checkpoint or {}).get("n", 0)
        self.tries += 1
        self.rubbish.append(got)
        pause()
        if got < 2:
            self.checkpoint(n=got + 1)
            pause()
            raise ValueError(f"only {got}")
        note("end")
        return "done"


class Slow(LightningWork):
    """Its first attempt takes for ever."""

    def __init__(self) -> None:
        super().__init__(timeout=0.3, retries=OFTEN, backoff=SOON, start_with_flow=False)
        self.stuck = False

    def run(self) -> None:
        note("begin")
        if self.last_checkpoint is None:
            self.checkpoint(seen=True)
            self.stuck = True
            while True:
                pause()
        note("end")


class Talker(LightningWork):
    """Runs beside the flow; both write."""

    def __init__(self) -> None:
        super().__init__(parallel=True, retries=OFTEN, backoff=SOON)
        self.flag = 0
        self.echo = 0
        self.both: Any = {}
        self.ready = False

    def run(self) -> None:
        note("begin")
        self.ready = True
        self.both["work"] = 1
        while not self.flag:
            pause()
        self.echo = self.flag * 2
        pause()
        note("end")


class Server(LightningWork):
    """Runs until it is stopped."""

    def __init__(self) -> None:
        super().__init__(parallel=True, retries=OFTEN, backoff=SOON)
        self.where = ""

    def run(self, name: str) -> None:
        note("begin", name)
        self.where = name
        while name == "first":
            pause()
        note("end", name)


class Group(LightningFlow):
    """A flow made while the app runs, with a work of its own."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.result = number, 0
        self.step = Step()

    def run(self) -> None:
        self.result = self.step.run(self.number) + self.step.run(self.number * 10)


class Root(LightningFlow):
    """One thing after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = self.due = 0
        self.done: Any = []
        self.told = self.stopped = False
        self.step, self.flaky, self.slow = Step(), Flaky(), Slow()
        self.talker, self.server = Talker(), Server()
        self.queue = Step(parallel=True)
        self.made = List()

    def run(self) -> None:
        self.talk()
        self.serve()
        for number in (1, 2, 3):
            self.queue.run(number)
        if self.due < 2 and self.schedule("* * * * *"):
            self.due += 1
        self.sum = self.step.run(1) + self.step.run(2)
        self.mark("steps")
        self.flaky.run()
        self.mark("flaky")
        self.slow.run()
        self.mark("slow")
        self.grow()
        if self.ready_to_end():
            self.stop("all done")

    def mark(self, name: str) -> None:
        if name not in self.done:
            self.done.append(name)

    def talk(self) -> None:
        self.talker.run()
        if self.talker.ready and not self.told:
            self.told = True
            self.talker.both["flow"] = 1
            self.talker.flag = 21

    def serve(self) -> None:
        self.server.run("first")
        if self.server.where == "first" and not self.stopped:
            self.server.stop()
            self.stopped = True
        if self.stopped:
            self.server.run("second")

    def grow(self) -> None:
        for number in (0, 1):
            if len(self.made) <= number:
                self.made.append(Group(number + 4))
            self.made[number].run()
            self.mark(f"group {number}")

    def ready_to_end(self) -> bool:
        over = self.queue.num_successes == 3 and self.due == 2 and self.server.where == "second"
        return over and self.talker.has_succeeded and self.server.num_successes == 1
