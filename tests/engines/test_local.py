"""The local engine in front of a keeper that the test plays."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from lightning_apps.base import settings as all_settings
from lightning_apps.base.log import Log
from lightning_apps.base.messages import EngineClosed, Exited, Refused, Started, Waiting
from lightning_apps.engines.allocator import Allocator
from lightning_apps.engines.channel import Channel, CloseAll, Closed, Message, PlaceWorker, StopWorker
from lightning_apps.engines.local import LocalEngine
from lightning_apps.ports import Observed, Placement


class Scene:
    """An engine with two CPUs and two GPUs, and its keeper's end of the channel."""

    def __init__(self) -> None:
        ours, self.keeper = Channel.pair()
        self.said = io.StringIO()
        self.engine = LocalEngine(ours, all_settings.load({}), Log(stream=self.said), Allocator(2, 1 << 30, ("0", "1")))
        self.events: list[Any] = []
        self._callbacks: list[Callable[[], None]] = []
        self.engine.open(self.events.append, self)

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def forget(self, descriptor: int) -> None:
        self._callbacks.clear()

    def place(self, name: str, **more: Any) -> str:
        place = f"root.{name}@1"
        self.engine.place(Placement(place=place, work=f"root.{name}", address="", token="", **more))
        return place

    def hear(self, *messages: Message) -> None:
        for message in messages:
            self.keeper.send(message)
        for callback in list(self._callbacks):
            callback()

    def told(self) -> list[Message]:
        return self.keeper.receive(wait=False)


def test_a_place_is_started_once_and_observed_through_its_life() -> None:
    scene = Scene()

    place = scene.place("a")
    scene.place("a")
    assert [type(message) for message in scene.told()] == [PlaceWorker]
    assert scene.engine.observe(place) == Observed("pending")

    scene.hear(Started(place, 7))
    assert scene.engine.observe(place) == Observed("running")

    scene.hear(Exited(place, None, 9))
    assert scene.engine.observe(place) == Observed("exited", None, 9)
    assert scene.events == [Started(place, 7), Exited(place, None, 9)]


def test_what_nobody_knows_is_unknown() -> None:
    assert Scene().engine.observe("root.x@9") == Observed("unknown")


def test_a_device_is_waited_for_and_given_when_its_holder_has_ended() -> None:
    scene = Scene()
    first, second = scene.place("a", devices=2), scene.place("b", devices=1)

    assert [message.order.env["CUDA_VISIBLE_DEVICES"] for message in placed(scene)] == ["0,1"]
    (waiting,) = scene.events
    assert isinstance(waiting, Waiting)
    assert (waiting.place, waiting.holders) == (second, (first,))

    scene.hear(Exited(first, 0))
    assert [(message.order.place, message.order.env["CUDA_VISIBLE_DEVICES"]) for message in placed(scene)] == [
        (second, "0")
    ]


def test_what_the_machine_can_never_give_is_refused() -> None:
    scene = Scene()

    scene.place("a", devices=3)

    assert [type(event) for event in scene.events] == [Refused]
    assert scene.told() == []


def test_one_that_waits_is_stopped_without_having_lived() -> None:
    scene = Scene()
    scene.place("a", cpus=2.0)
    waiting = scene.place("b", cpus=1.0)

    scene.engine.stop(waiting, 5.0)

    assert scene.events[-1] == Exited(waiting)
    assert not any(isinstance(message, StopWorker) for message in scene.told())


def test_a_wish_that_cannot_be_met_is_one_warning() -> None:
    scene = Scene()
    scene.place("a", devices=2)

    scene.place("b", wish_devices=1)

    assert len(placed(scene)) == 2
    assert scene.said.getvalue().count("WARNING: root.b would like a GPU") == 1


def test_the_end_is_asked_of_the_keeper_and_told_when_it_has_come() -> None:
    scene = Scene()
    scene.place("a")
    scene.told()

    scene.engine.close(3.0)
    assert scene.told() == [CloseAll(3.0)]
    assert not scene.engine.closed

    scene.hear(Exited("root.a@1", None, 15), Closed())
    assert scene.engine.closed
    assert scene.events[-1] == EngineClosed()


def test_a_keeper_that_goes_during_the_end_does_not_keep_it_from_coming() -> None:
    scene = Scene()
    scene.engine.close(3.0)

    scene.keeper.close()
    scene.hear()

    assert scene.engine.closed


def placed(scene: Scene) -> list[PlaceWorker]:
    return [message for message in scene.told() if isinstance(message, PlaceWorker)]
