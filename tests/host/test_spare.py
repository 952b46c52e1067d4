"""The worker that is forked ahead: who gets it, and that nobody else sees it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from lightning_apps.engines.channel import Channel, ForkWorker
from lightning_apps.host.spare import ROOM, Spare, await_order
from lightning_apps.ports import Placement
from lightning_apps.worker.rehearsal import rehearse

ZYGOTE = "open('zygote', 'w').write(str(os.getpid()))"
FOREVER = "while True: time.sleep(100)"
PID = "open(place, 'w').write(str(os.getpid()))\n"
WHEN_TOLD = "desk.until(lambda: os.path.exists('go'))\n"


def order(pickled: bytes | None = None) -> Placement:
    return Placement(place="root.a@1", work="root.a", address="", token="secret", pickled=pickled)


class TestChannel:
    def test_a_spare_becomes_what_it_is_ordered_to_be(self) -> None:
        ours, theirs = Channel.pair()
        spare = Spare(7, ours)

        assert spare.take(order())

        assert await_order(theirs) == order()

    def test_without_a_zygote_a_spare_ends(self) -> None:
        ours, theirs = Channel.pair()
        ours.close()

        assert await_order(theirs) is None

    def test_a_spare_suits_nobody_before_it_is_ready_and_nobody_with_much_luggage(self) -> None:
        ours, theirs = Channel.pair()
        spare = Spare(7, ours)
        assert not spare.suits(order())

        ours.tell(ForkWorker(order()))
        await_order(theirs)  # which says that it is ready

        assert spare.hear()
        assert spare.suits(order(b"x" * ROOM))
        assert not spare.suits(order(b"x" * (ROOM + 1)))

    def test_a_spare_that_has_ended_takes_no_order(self) -> None:
        ours, theirs = Channel.pair()
        spare = Spare(7, ours)
        theirs.close()

        assert not spare.take(order())
        assert not spare.hear()


def test_a_rehearsal_leaves_no_descriptor_no_thread_and_no_handler() -> None:
    def open_here() -> set[str]:
        """Others may be closed meanwhile, by the collector for instance."""
        return {f"{entry} {os.readlink(f'/proc/self/fd/{entry}')}" for entry in map(str, range(1024)) if
                os.path.lexists(f"/proc/self/fd/{entry}")}  # fmt: skip

    descriptors, threads, handler = open_here(), threading.active_count(), signal.getsignal(signal.SIGTERM)

    rehearse()

    assert open_here() <= descriptors
    assert (threading.active_count(), signal.getsignal(signal.SIGTERM)) == (threads, handler)


def spare_of(stage: Any, besides: int) -> int:
    """The child of the zygote that is not one of so many others, the latest."""
    zygote = stage.pid("zygote")

    def children() -> list[int]:
        return [int(word) for word in Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split()]

    stage.eventually(lambda: len(children()) == besides + 1, what="a spare")
    return max(children())


def test_the_first_order_is_given_to_the_spare_and_another_is_prepared(stage: Any) -> None:
    host = WHEN_TOLD + "desk.start('a')\n" + stage_wait()
    process = stage.app(host, ZYGOTE, {"a": PID + FOREVER})
    spare = spare_of(stage, 1)
    _asleep(stage, spare)

    (stage.folder / "go").touch()

    assert stage.pid("root.a@1") == spare
    assert spare_of(stage, 2) != spare
    process.signal(signal.SIGTERM)
    assert process.wait() == 143
    process.assert_nothing_left(0)


def test_many_orders_at_once_are_all_served(stage: Any) -> None:
    names = [f"w{number}" for number in range(12)]
    host = f"desk.start(*{names})\nfor name in {names}: assert desk.ended(name).code == 3"
    process = stage.app(host, ZYGOTE, dict.fromkeys(names, "sys.exit(3)"))

    assert process.wait() == 0, process.stderr
    process.assert_nothing_left(0)


def test_a_spare_that_was_killed_is_missed_by_nobody(stage: Any) -> None:
    host = WHEN_TOLD + "desk.start('a')\nassert desk.ended('a').code == 3"
    process = stage.app(host, ZYGOTE, {"a": "sys.exit(3)"})
    spare = spare_of(stage, 1)

    os.kill(spare, signal.SIGKILL)
    stage.eventually(lambda: not Path(f"/proc/{spare}").exists())
    (stage.folder / "go").touch()

    assert process.wait() == 0, process.stderr
    process.assert_nothing_left(0)


def test_the_spare_goes_with_its_zygote(stage: Any) -> None:
    process = stage.app(load=ZYGOTE)
    spare, zygote = spare_of(stage, 1), stage.pid("zygote")

    os.kill(zygote, signal.SIGKILL)

    stage.eventually(lambda: not Path(f"/proc/{spare}").exists())
    process.signal(signal.SIGTERM)
    assert process.wait() == 143
    process.assert_nothing_left(0)


def test_the_spare_has_its_own_random_numbers(stage: Any) -> None:
    draw = "import random\nopen(place, 'w').write(str(random.random()))"
    host = WHEN_TOLD + "desk.start('a', 'b')\ndesk.ended('a'), desk.ended('b')"
    process = stage.app(host, ZYGOTE + "\nimport random; random.seed(1)", {"a": draw, "b": draw})
    _asleep(stage, spare_of(stage, 1))
    (stage.folder / "go").touch()

    assert process.wait() == 0, process.stderr
    first, second = ((stage.folder / f"root.{name}@1").read_text() for name in "ab")
    assert first != second


def stage_wait() -> str:
    return "desk.until(lambda: False, 1e6)"


def _asleep(stage: Any, pid: int) -> None:
    """Until it waits for its order: in a session of its own, and the only one of its threads asleep."""
    stage.eventually(lambda: _state(pid) == "S" and os.getsid(pid) == pid)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
