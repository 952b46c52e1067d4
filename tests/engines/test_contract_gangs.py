"""Gangs on every engine: all or none, and two that want the same get it one after the other."""

from __future__ import annotations

from engines.contract import Player
from lightning_apps.engines.local import cpus_here

GANGS = f"""
CPUS = {cpus_here()}
"""
GANGS += """
class Member(L.LightningWork):
    def __init__(self, gang, cpus):
        super().__init__(parallel=True, start_with_flow=False, cloud_compute=L.CloudCompute(cpus=cpus, gang=L.Gang(gang, 2)))
        self.began = self.ended = 0.0

    def run(self):
        self.began = time.time()
        time.sleep(0.1)
        self.ended = time.time()


def span(works):
    return min(work.began for work in works), max(work.ended for work in works)


class Root(Flow):
    def __init__(self):
        super().__init__()
        cpus = CPUS / 2
        self.a, self.b = Member("first", cpus), Member("first", cpus)
        self.c, self.d = Member("second", cpus), Member("second", cpus)
        self.alone = ""

    def run(self):
        self.a.run()
        if not self.alone:
            self.alone = next((each.reason for each in self.a.statuses if "gang" in (each.reason or "")), "")
            return
        for work in (self.c, self.b, self.d):
            work.run()
        works = [self.a, self.b, self.c, self.d]
        if all(work.has_succeeded for work in works):
            (_, one), (other, _) = sorted([span(works[:2]), span(works[2:])])
            print(self.alone)
            print("one after the other", one <= other)
            self.stop()
"""


def test_a_gang_starts_whole_and_two_that_want_the_same_take_turns(play: Player) -> None:
    reason, turns = play.lines(GANGS, timeout=60.0)

    assert reason == "root.a waits for its gang 'first': its 2 works start together, and not all were asked for yet"
    assert turns == "one after the other True" or "devices" not in play.way.promises
