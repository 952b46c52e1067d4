"""The local engine in front of a keeper that the test plays."""

from __future__ import annotations

import io
import select
import threading
from collections.abc import Callable, Sequence
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

    def __init__(self, gpus: Sequence[str] | Callable[[], Sequence[str]] = ("0", "1")) -> None:
        ours, self.keeper = Channel.pair()
        self.said = io.StringIO()
        self.engine = LocalEngine(ours, all_settings.load({}), Log(stream=self.said), Allocator(2, 1 << 30, gpus))
        self.events: list[Any] = []
        self._readers: dict[int, Callable[[], None]] = {}
        self.engine.open(self.events.append, self)

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        self._readers[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        del self._readers[descriptor]

    def place(self, name: str, **more: Any) -> str:
        place = f"root.{name}@1"
        self.engine.place(Placement(place=place, work=f"root.{name}", address="", token="", **more))
        return place

    def hear(self, *messages: Message) -> None:
        for message in messages:
            self.keeper.send(message)
        self.wait(0)

    def wait(self, seconds: float = 10.0) -> None:
        for descriptor in select.select(list(self._readers), [], [], seconds)[0]:
            self._readers[descriptor]()

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
    started, exited = scene.events
    assert (started.place, started.pid) == (place, 7)
    assert exited == Exited(place, None, 9)


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


class TestAskingNvidiaSmi:
    @staticmethod
    def scene() -> tuple[Scene, threading.Event]:
        """The answer comes when the event is set."""
        answer = threading.Event()
        return Scene(lambda: answer.wait(10) and ("GPU-a", "GPU-b")), answer  # type: ignore[arg-type, return-value]

    def test_orders_wait_while_it_is_asked_and_are_served_in_turn_then(self) -> None:
        scene, answer = self.scene()

        first, second = scene.place("a", devices=1), scene.place("b", wish_devices=1)
        assert [(type(event), event.place) for event in scene.events] == [(Waiting, first), (Waiting, second)]
        assert scene.events[0].reason == "root.a waits for nvidia-smi to say which GPUs there are"
        assert scene.told() == []

        answer.set()
        scene.wait()
        assert [(m.order.place, m.order.env["CUDA_VISIBLE_DEVICES"]) for m in placed(scene)] == [
            (first, "GPU-a"),
            (second, "GPU-b"),
        ]

    def test_others_are_not_held_up(self) -> None:
        scene, answer = self.scene()
        scene.place("a", devices=1)

        place = scene.place("b", cpus=1.0)

        assert [message.order.place for message in placed(scene)] == [place]
        answer.set()

    def test_who_was_stopped_meanwhile_is_not_started(self) -> None:
        scene, answer = self.scene()
        place = scene.place("a", devices=1)

        scene.engine.stop(place, 1.0)
        answer.set()
        scene.wait()

        assert scene.events[-1] == Exited(place)
        assert scene.told() == []

    def test_an_answer_after_the_end_is_heard_by_nobody(self) -> None:
        scene, answer = self.scene()
        scene.place("a", devices=1)
        scene.engine.close(1.0)
        scene.hear(Closed())
        assert scene.engine.closed

        answer.set()

        scene.wait(0)
        assert scene.events[-1] == EngineClosed()


def placed(scene: Scene) -> list[PlaceWorker]:
    return [message for message in scene.told() if isinstance(message, PlaceWorker)]
