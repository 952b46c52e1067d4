"""The engine for other machines, with a launcher that starts real minders as plain processes of this one, and can fail and be cut off."""

from __future__ import annotations

import os
import queue
import signal
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conftest import MARK, eventually, marked
from engines.near import Near
from lightning_apps.base.log import Log
from lightning_apps.base.messages import EngineClosed, Exited, Refused, Silent, Started, Waiting
from lightning_apps.base.settings import Settings
from lightning_apps.engines import process_tree
from lightning_apps.engines.desk_at import DeskAt
from lightning_apps.engines.gangs import Group, Where
from lightning_apps.engines.minding.minder import start_minder
from lightning_apps.engines.remote import RemoteEngine
from lightning_apps.host import distant
from lightning_apps.host.run_folder import RunFolder
from lightning_apps.model.binding import free_port
from lightning_apps.model.gang import Gang
from lightning_apps.ports import Placement

REST = "import time\nprint('up', flush=True)\ntime.sleep(1000)"
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"served elsewhere")
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, flush=True)
server.serve_forever()
"""


class Machines:
    """Where minders are started, which outlives hosts.

    Attributes:
        failures: how many launches fail.
        holds: launches wait, as for room.
        groups, where: what was said of gangs, and of where each place is to be.
        reached: whether the launcher can end what it has started.
    """

    def __init__(self, code: str) -> None:
        self.code, self.failures, self.holds, self.reached = code, 0, False, True
        self.minders: dict[str, Any] = {}
        self.launches: list[frozenset[str]] = []
        self.groups: dict[str, Group] = {}
        self.where: dict[str, Where] = {}
        self.engine: RemoteEngine | None = None


class PlainLauncher:
    """One host's way to them; see `remote.Launcher`."""

    name = "plain"

    def __init__(self, machines: Machines) -> None:
        self.machines = machines

    def open(self, engine: RemoteEngine) -> None:
        self.machines.engine = engine

    def form(self, group: Group, avoid: frozenset[str]) -> None:
        self.machines.groups[group.id] = group

    def disband(self, group: str) -> None:
        del self.machines.groups[group]

    def launch(self, order: Placement, assignment: Any, avoid: frozenset[str], where: Where) -> None:
        machines = self.machines
        machines.launches.append(avoid)
        machines.where[order.place] = where
        if machines.failures:
            machines.failures -= 1
            machines.engine.never_began(order.place, "no luck.", True)
        elif machines.holds:
            machines.engine.waits(order.place, "no room")
        elif order.place not in machines.minders:
            assignment = msgspec.structs.replace(assignment, entry=("-c", machines.code), node="n1")
            machines.minders[order.place] = minder = start_minder(assignment)
            threading.Thread(target=self._wait, args=(order.place, minder), daemon=True).start()

    def _wait(self, place: str, minder: Any) -> None:
        minder.wait()
        self.machines.engine.over(place)

    def kill(self, place: str) -> None:
        minder = self.machines.minders.get(place)
        if minder is not None and self.machines.reached and not minder.lifeline.closed:
            minder.lifeline.close()

    def began(self, place: str, mark: str, node: str) -> None:
        """It is known already."""

    def find(self, place: str, mark: str, node: str) -> None:
        """It is known already."""

    def close(self) -> None:
        """Machines go on."""


class Scene:
    """A run with one work after the other, and hosts that come and go."""

    def __init__(self, path: Path, code: str) -> None:
        self.folder = RunFolder(str(path / "run"))
        os.makedirs(self.folder.logs)
        distant._certificate(self.folder, "ray")
        self.mark, self.port, self.machines = uuid.uuid4().hex, free_port(), Machines(code)
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.seen: list[Any] = []
        self.engine = self.host()

    def host(self) -> RemoteEngine:
        """A host begins; what an earlier one has told is not asked for any more."""
        self.events = queue.SimpleQueue()
        at = DeskAt("127.0.0.1", self.port, distant.fingerprint(self.folder), distant.context(self.folder))
        settings = Settings(engine="ray", grace=2.0, remote_orphan_limit=30.0)
        log = Log("error", "text", False)
        launcher = PlainLauncher(self.machines)
        self.engine = RemoteEngine(launcher, Near(), settings, log, at, self.folder.path, self.folder.secret())
        self.engine.open(self.events.put, None)
        return self.engine

    def place(self, number: int = 1, patience: float | None = None, work: str = "root.w", **more: Any) -> str:
        out, err = self.folder.log_files(work)
        place = f"{work}@{number}"
        env = {MARK: self.mark}
        self.engine.place(
            Placement(
                place=place, work=work, address="x", token="", out=out, err=err, env=env, patience=patience, **more
            )
        )
        return place

    def until(self, kind: type, timeout: float = 15.0) -> Any:
        """The next event of this kind."""
        while True:
            event = self.events.get(timeout=timeout)
            self.seen.append(event)
            if isinstance(event, kind):
                return event

    def heard(self, kind: type) -> list[Any]:
        """Every event of this kind so far."""
        while not self.events.empty():
            self.seen.append(self.events.get())
        return [event for event in self.seen if isinstance(event, kind)]

    def output(self) -> str:
        try:
            return Path(self.folder.log_files("root.w")[0]).read_text()
        except FileNotFoundError:
            return ""

    def until_up(self) -> Started:
        started: Started = self.until(Started)
        eventually(self.output)
        return started

    def minder(self, worker: int) -> int:
        found = process_tree.look(worker)
        assert found is not None
        return found.parent

    def nothing_left(self) -> None:
        eventually(lambda: not marked(self.mark), 5.0, what=lambda: str(marked(self.mark)))

    def end(self) -> None:
        self.engine.let_go()
        for minder in self.machines.minders.values():
            minder.lifeline.close()
        for pid in marked(self.mark):
            process_tree.send_signal(pid, signal.SIGKILL)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def make(code: str = REST) -> Scene:
        made.append(Scene(tmp_path, code))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_a_worker_is_started_once_and_its_end_told_once(scene: Any) -> None:
    play = scene("print('hello'); raise SystemExit(7)")

    place = play.place()
    play.place()

    assert play.until(Started).place == place
    assert play.until(Exited) == Exited(place, 7)
    eventually(lambda: play.machines.minders[place].lifeline.closed)
    assert (len(play.machines.launches), play.output()) == (1, "hello\n")
    assert (play.heard(Started), play.heard(Exited)) == (play.seen[:1], [Exited(place, 7)])


def test_a_worker_that_is_stopped_is_gone_with_all_it_started_when_that_is_told(scene: Any) -> None:
    play = scene(
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'],"
        " start_new_session=True)\n" + REST
    )
    place = play.place()
    play.until_up()
    assert len(marked(play.mark)) == 2

    play.engine.stop(place, 2.0)

    assert play.until(Exited) == Exited(place, signal=signal.SIGTERM)
    assert not marked(play.mark)


def test_a_worker_that_is_stopped_before_its_minder_has_come_is_never_started(scene: Any) -> None:
    play = scene()
    play.machines.holds = True
    place = play.place()
    assert play.until(Waiting).reason == "no room"

    play.engine.stop(place, 2.0)
    assert play.until(Exited) == Exited(place)
    play.machines.holds = False
    play.engine._launcher.launch(*_late(play, place))

    play.machines.minders[place].wait()
    assert (play.heard(Started), play.output()) == ([], "")


def _late(play: Scene, place: str) -> Any:
    """What a launcher may start late, in spite of all."""
    from lightning_apps.engines.minding.minder import Assignment

    order = Placement(place=place, work="root.w", address="x", token="")
    address = play.engine._at.address
    return order, Assignment(place, play.engine._token(place), address, "", "", 20.0, ()), frozenset(), Where()


def test_a_launch_that_fails_is_tried_again(scene: Any) -> None:
    play = scene()
    play.machines.failures = 1

    play.place()

    play.until_up()
    assert len(play.machines.launches) == 2


def test_a_launch_that_can_never_succeed_is_refused_with_its_reason(scene: Any) -> None:
    play = scene()
    play.machines.holds = True
    place = play.place()

    play.engine.never_began(place, "lightning-apps is not there.", False)

    assert play.until(Refused) == Refused(place, "root.w cannot be started: lightning-apps is not there.")


def test_a_minder_of_another_version_starts_nothing(scene: Any, tmp_path: Path) -> None:
    from lightning_apps.engines.minding import words

    play = scene()
    play.machines.holds = True
    place = play.place()
    play.until(Waiting)
    here = words.Here(place, "", "n1", "node-7", "0.0.1", "3.11")

    play.engine._desk.call(_say(play, place, here)).result(5.0)

    reason = play.until(Refused).reason
    assert "node-7 has lightning-apps 0.0.1" in reason
    assert "install the same" in reason


async def _say(play: Scene, place: str, here: Any) -> None:
    play.engine.here(place, here)


def test_the_next_host_takes_a_worker_over_and_starts_no_other(scene: Any) -> None:
    play = scene()
    place = play.place()
    started = play.until_up()
    play.engine.let_go()

    engine = play.host()
    assert engine.adopt(place, started.pid, started.began)
    assert engine.observe(place).state == "unknown"

    assert play.until(Started) == started
    assert engine.observe(place).state == "running"
    engine.stop(place, 2.0)
    assert play.until(Exited).place == place
    assert len(play.machines.launches) == 1


def test_the_next_host_hears_of_an_end_that_nobody_has_seen(scene: Any) -> None:
    play = scene()
    place = play.place()
    started = play.until_up()
    play.engine.let_go()
    os.kill(started.pid, signal.SIGKILL)

    assert play.host().adopt(place, started.pid, started.began)

    assert play.until(Exited) == Exited(place, signal=signal.SIGKILL)


def test_the_next_host_launches_again_what_had_not_begun(scene: Any) -> None:
    play = scene()
    play.machines.holds = True
    place = play.place()
    play.until(Waiting)
    play.engine.let_go()

    play.machines.holds = False
    assert play.host().adopt(place, 0, "")

    play.until_up()
    assert (len(play.machines.launches), play.output()) == (2, "up\n")


def test_the_next_host_knows_nothing_of_a_place_whose_end_was_told(scene: Any) -> None:
    play = scene("pass")
    place = play.place()
    play.until(Exited)
    play.engine.let_go()

    assert not play.host().adopt(place, 1, "")


def test_a_worker_whose_minder_is_killed_is_lost_and_gone(scene: Any) -> None:
    play = scene()
    place = play.place()
    worker = play.until_up().pid

    os.kill(play.minder(worker), signal.SIGKILL)

    assert play.until(Exited) == Exited(place, lost=True)
    play.nothing_left()


def test_one_that_is_not_heard_is_unknown_and_not_replaced_until_it_is_heard_again(scene: Any) -> None:
    play = scene()
    place = play.place()
    minder = play.minder(play.until_up().pid)

    os.kill(minder, signal.SIGSTOP)
    silent = play.until(Silent)
    state = play.engine.observe(place).state
    avoided = play.engine.silent_nodes()
    os.kill(minder, signal.SIGCONT)

    assert "`lightning works abandon root.w`" in silent.reason
    assert (state, avoided) == ("unknown", {"n1"})
    assert play.until(Silent) == Silent(place, "")
    assert play.engine.observe(place).state == "running"
    assert (play.heard(Exited), play.engine.silent_nodes()) == ([], frozenset())


def test_one_that_is_abandoned_is_lost_at_once_and_sent_away_if_it_comes_back(scene: Any) -> None:
    play = scene()
    place = play.place()
    minder = play.minder(play.until_up().pid)
    play.machines.reached = False
    os.kill(minder, signal.SIGSTOP)
    play.until(Silent)

    play.engine.abandon(place)
    lost = play.until(Exited)
    still_there = marked(play.mark)
    os.kill(minder, signal.SIGCONT)

    assert lost == Exited(place, lost=True)
    assert still_there
    play.nothing_left()
    assert play.heard(Exited) == [lost]


def test_a_later_host_knows_nothing_of_one_that_was_abandoned(scene: Any) -> None:
    play = scene()
    place = play.place()
    started = play.until_up()
    play.machines.reached = False
    os.kill(play.minder(started.pid), signal.SIGSTOP)
    play.until(Silent)
    play.engine.abandon(place)
    play.until(Exited)
    play.engine.let_go()

    assert not play.host().adopt(place, started.pid, started.began)
    os.kill(play.minder(started.pid), signal.SIGCONT)

    play.nothing_left()


def test_a_port_of_a_worker_elsewhere_is_reached_through_one_of_this_machine(scene: Any) -> None:
    play = scene(SERVER)
    place = play.place()
    play.until_up()
    port = play.output().split()[1]
    reached: queue.SimpleQueue[str] = queue.SimpleQueue()

    play.engine.reach(place, f"10.9.8.7:{port}", reached.put)
    address = reached.get(timeout=5.0)

    assert address.startswith("127.0.0.1:")
    assert not address.endswith(f":{port}")
    for _ in range(3):
        with urllib.request.urlopen(f"http://{address}/", timeout=5.0) as answer:
            assert answer.read() == b"served elsewhere"


def test_at_the_end_all_are_ended_and_then_it_is_closed(scene: Any) -> None:
    play = scene()
    places = [play.place(1), play.place(2)]
    play.until(Started)
    play.until(Started)

    play.engine.close(2.0)
    play.until(EngineClosed)

    assert {event.place for event in play.heard(Exited)} == set(places)
    assert play.engine.closed
    assert not marked(play.mark)


@pytest.mark.slow
def test_the_end_does_not_wait_forever_for_one_that_is_not_heard(scene: Any) -> None:
    play = scene()
    play.place()
    minder = play.minder(play.until_up().pid)
    play.machines.reached = False
    os.kill(minder, signal.SIGSTOP)
    play.until(Silent)

    play.engine.close(0.0)

    play.until(EngineClosed)
    os.kill(minder, signal.SIGCONT)


def test_a_machine_where_something_was_lost_is_not_taken_at_once_again(scene: Any) -> None:
    play = scene()
    place = play.place()
    play.until_up()

    play.machines.minders[place].lifeline.close()
    assert play.until(Exited).lost
    play.place(2)
    play.until_up()
    play.place(3)
    play.until(Started)

    assert play.machines.launches == [frozenset(), {"n1"}, frozenset()]  # by the third it has been heard again


# gangs, and works that share a machine


def test_a_gang_is_launched_when_all_of_it_was_asked_for_and_disbanded_with_its_last(scene: Any) -> None:
    play, gang = scene(), Gang("train", 2)

    first = play.place(work="root.a", gang=gang)
    waiting = play.until(Waiting)
    launched = list(play.machines.launches)
    second = play.place(work="root.b", gang=gang)
    play.until(Started), play.until(Started)

    assert waiting.place == first and "waits for its gang 'train'" in waiting.reason and launched == []
    (group,) = play.machines.groups.values()
    assert [order.place for order in group.orders] == [first, second] and not any(order.env for order in group.orders)
    assert play.machines.where == {first: Where(group.id, 0), second: Where(group.id, 1)}

    play.engine.stop(first, 2.0)
    play.until(Exited)
    again = play.place(2, work="root.a", gang=gang, again=True)
    play.until(Started)
    assert play.machines.where[again] == Where(group.id, 0) and play.machines.groups
    for place in (second, again):
        play.engine.stop(place, 2.0)
        play.until(Exited)
    assert not play.machines.groups


def test_a_later_host_knows_who_is_in_a_gang(scene: Any) -> None:
    play, gang = scene(), Gang("train", 2)
    places = [play.place(work=f"root.{name}", gang=gang) for name in "ab"]
    pids = {event.place: event for event in (play.until(Started), play.until(Started))}
    former = dict(play.machines.groups)
    play.engine.let_go()
    play.machines.groups.clear()

    play.host()
    assert all(play.engine.adopt(place, pids[place].pid, pids[place].began) for place in places)
    play.until(Started), play.until(Started)
    play.engine.stop(places[0], 2.0)
    play.until(Exited)
    play.place(2, work="root.a", gang=gang, again=True)
    play.until(Started)

    assert list(play.machines.groups) == list(former)
    assert play.machines.where["root.a@2"] == play.machines.where["root.a@1"]


def test_what_an_earlier_host_had_asked_for_and_nobody_takes_over_is_ended(scene: Any) -> None:
    play, gang = scene(), Gang("train", 1)
    play.place(work="root.a", gang=gang)
    play.until(Started)
    play.engine.let_go()

    play.host()
    play.engine.progressed()

    play.nothing_left()
    eventually(lambda: not play.machines.groups)


def test_works_of_one_colocation_group_come_to_the_machine_of_the_first(scene: Any) -> None:
    play = scene()
    first = play.place(work="root.a", near="x")
    play.place(work="root.b", near="x")
    free = play.place(work="root.c")

    waits = play.until(Waiting)
    play.until(Started), play.until(Started), play.until(Started)

    assert waits.reason == "root.b waits for root.a, whose machine it is to share"
    assert play.machines.where == {first: Where(), "root.b@1": Where(node="n1"), free: Where()}
