"""Gangs: all or none, nobody half placed, whoever comes back comes back to its place.  Over the line of one machine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.messages import Refused, Waiting
from lightning_apps.engines.allocator import Allocator, Granted
from lightning_apps.engines.gangs import Alone, Gangs, Group, Slot
from lightning_apps.engines.line import Line
from lightning_apps.model.compute import CloudCompute
from lightning_apps.model.gang import Gang
from lightning_apps.model.quantities import BadCompute, BadComputeType
from lightning_apps.ports import Placement

PAIR = Gang("train", 2)


def order(name: str, gang: Gang | None = PAIR, number: int = 1, **more: Any) -> Placement:
    return Placement(place=f"root.{name}@{number}", work=f"root.{name}", address="", token="", gang=gang, **more)


def line(gpus: int = 2) -> Line:
    return Line(Allocator(8, 2**30, [str(number) for number in range(gpus)]))


def granted(answers: Any) -> dict[str, tuple[str, ...]]:
    """The places that may start, and the GPUs of each."""
    return {each.place: answer.devices for each, answer in answers if isinstance(answer, Granted)}


# what an author says


@pytest.mark.parametrize(
    ("values", "said"),
    [(("", 2), "name=''"), (("a", 0), "size=0"), (("a", True), "size=True"), (("a", 2, "near"), "strategy='near'")],
)
def test_a_gang_that_cannot_be_is_refused_with_the_value(values: Any, said: str) -> None:
    with pytest.raises(BadCompute, match=said):
        Gang(*values)


def test_a_gang_and_a_group_of_colocation_are_not_given_together() -> None:
    with pytest.raises(BadCompute, match="give the gang alone"):
        CloudCompute(gang=PAIR, colocation_group_id="x")
    with pytest.raises(BadComputeType, match="is no Gang"):
        CloudCompute(gang="train")  # type: ignore[arg-type]


def test_a_gang_goes_through_the_state_and_back() -> None:
    compute = CloudCompute("gpu", devices=1, gang=Gang("train", 4, "spread"))

    assert CloudCompute.from_dict(compute.to_dict()) == compute.clone() == compute
    assert not CloudCompute(gang=PAIR).is_default()


# who gathers


def test_a_gang_forms_when_its_last_member_was_asked_for() -> None:
    gangs = Gangs()

    first = gangs.join(order("b"))
    group = gangs.join(order("a"))

    assert isinstance(first, Waiting) and "waits for its gang 'train': its 2 works start together" in first.reason
    assert isinstance(group, Group) and [each.work for each in group.orders] == ["root.a", "root.b"]


def test_who_comes_back_has_its_own_place_and_who_is_new_one_that_is_free() -> None:
    gangs = Gangs()
    gangs.join(order("a"))
    gangs.join(order("b"))

    gangs.leave("root.b@1")
    full = gangs.join(order("b", number=2))
    more = gangs.join(order("c"))
    gangs.leave("root.a@1")
    other = gangs.join(order("c", number=2))

    assert isinstance(full, Slot) and full.number == 1
    assert isinstance(more, Refused) and "which has its 2 works" in more.reason
    assert isinstance(other, Slot) and other.number == 0


def test_who_is_tried_again_when_its_gang_is_no_more_goes_alone() -> None:
    gangs = Gangs()
    gangs.join(order("a"))
    gangs.join(order("b"))
    gangs.leave("root.a@1")

    assert isinstance(gangs.leave("root.b@1"), Group)
    assert isinstance(gangs.join(order("a", number=2, again=True)), Alone)
    assert isinstance(gangs.join(order("b", number=2)), Waiting)


def test_who_means_another_gang_by_the_same_name_is_refused() -> None:
    gangs = Gangs()
    gangs.join(order("a"))

    refused = gangs.join(order("b", Gang("train", 3)))

    assert isinstance(refused, Refused) and "do not mean the same by the gang 'train'" in refused.reason


# on one machine


def test_a_gang_gets_its_devices_at_once_and_each_member_its_own() -> None:
    scene = line(4)

    assert granted(scene.ask(order("a", devices=2))) == {}
    assert granted(scene.ask(order("b", devices=2))) == {"root.a@1": ("0", "1"), "root.b@1": ("2", "3")}


def test_a_gang_that_can_never_be_is_refused_whole() -> None:
    scene = line(3)
    scene.ask(order("a", devices=2))

    answers = scene.ask(order("b", devices=2))

    assert [answer for _, answer in answers] == [
        Refused(place, "Gang 'train' asks for 4 GPUs, this machine has 3.") for place in ("root.a@1", "root.b@1")
    ]


def test_works_on_machines_of_their_own_cannot_be_had_from_one() -> None:
    ((_, refused),) = line().ask(order("a", Gang("train", 2, "strict_spread")))

    assert isinstance(refused, Refused) and 'strategy="spread" takes as many as there are' in refused.reason


def test_a_gang_holds_nothing_while_it_waits_and_says_for_what() -> None:
    scene = line(2)
    scene.ask(order("other", None, devices=1))
    scene.ask(order("a", devices=1))

    answers = scene.ask(order("b", devices=1))

    reason = "gang 'train' waits for 2 GPUs: root.other holds 1 of 2"
    assert [answer for _, answer in answers] == [
        Waiting(place, reason, ("root.other@1",)) for place in ("root.a@1", "root.b@1")
    ]
    assert granted(scene.release("root.other@1")) == {"root.a@1": ("0",), "root.b@1": ("1",)}


def test_what_a_member_had_is_kept_for_it_until_the_last_has_ended() -> None:
    scene = line(2)
    scene.ask(order("a", devices=1))
    scene.ask(order("b", devices=1))
    scene.ask(order("other", None, devices=1))

    assert granted(scene.release("root.a@1")) == {}
    assert granted(scene.ask(order("a", number=2, devices=1))) == {"root.a@2": ("0",)}
    assert granted(scene.release("root.b@1")) == {}
    assert granted(scene.release("root.a@2")) == {"root.other@1": ("0",)}


def test_who_leaves_a_gang_that_waits_for_room_may_come_back_to_it() -> None:
    scene = line(2)
    scene.ask(order("other", None, devices=1))
    scene.ask(order("a", devices=1))
    scene.ask(order("b", devices=1))

    scene.release("root.a@1")
    waits = scene.ask(order("a", number=2, devices=1))

    assert {each.place for each, _ in waits} == {"root.a@2", "root.b@1"} and not granted(waits)
    assert granted(scene.release("root.other@1")) == {"root.b@1": ("1",), "root.a@2": ("0",)}


@given(st.permutations([(gang, member) for gang in ("x", "y", "z") for member in range(3)]), st.randoms())
def test_gangs_that_want_the_same_devices_all_get_their_turn_and_never_hold_a_part(asked: Any, random: Any) -> None:
    scene, size = line(4), 3
    running: set[str] = set()
    done: list[str] = []

    def began(answers: Any) -> None:
        running.update(granted(answers))
        for name in ("x", "y", "z"):
            assert sum(place.startswith(f"root.{name}") for place in [*running, *done]) in (0, size)

    for gang, member in asked:
        began(scene.ask(order(f"{gang}{member}", Gang(gang, size), devices=1)))
        while running and random.random() < 0.3:
            place = random.choice(sorted(running))
            running.remove(place)
            done.append(place)
            began(scene.release(place))
    while running:
        place = random.choice(sorted(running))
        running.remove(place)
        done.append(place)
        began(scene.release(place))

    assert len(done) == 9
