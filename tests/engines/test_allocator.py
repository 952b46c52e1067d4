"""Resources of one machine: given out in order, never twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.messages import Refused, Waiting
from lightning_apps.engines.allocator import Allocator, Granted
from lightning_apps.model.compute import Requirement

GIB = 2**30
NONE = Requirement()


def gpus(count: int) -> Requirement:
    return Requirement(devices=count)


def test_a_default_work_reserves_nothing_and_its_environment_is_left_alone() -> None:
    allocator = Allocator(1, GIB, ["0"])

    assert [allocator.ask(f"root.w@{n}", NONE) for n in range(5)] == [Granted()] * 5


def test_gpus_are_looked_for_only_when_one_is_wanted() -> None:
    asked: list[int] = []
    allocator = Allocator(2, GIB, lambda: asked.append(1) or ("0",))

    allocator.ask("root.a@1", Requirement(cpus=1))
    before = len(asked)
    allocator.ask("root.b@1", gpus(1))
    allocator.ask("root.c@1", gpus(1))

    assert (before, len(asked)) == (0, 1)


def test_what_is_asked_for_by_number_is_given_by_environment() -> None:
    allocator = Allocator(8, GIB, ["GPU-a", "GPU-b", "GPU-c"])

    first = allocator.ask("root.a@1", Requirement(cpus=2, devices=2))
    second = allocator.ask("root.b@1", gpus(1))

    assert first == Granted(
        env={"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}, devices=("GPU-a", "GPU-b")
    )
    assert second == Granted(env={"CUDA_VISIBLE_DEVICES": "GPU-c"}, devices=("GPU-c",))


def test_a_part_of_a_cpu_means_one_thread() -> None:
    allocator = Allocator(1, GIB)

    answers = [allocator.ask(f"root.w@{n}", Requirement(cpus=0.1)) for n in range(11)]

    assert answers[:10] == [Granted(env={"OMP_NUM_THREADS": "1"})] * 10
    assert isinstance(answers[10], Waiting)


def test_who_waits_is_told_for_what_and_who_has_it() -> None:
    allocator = Allocator(8, GIB, ["0", "1"])
    allocator.ask("root.other@1", gpus(1))

    answer = allocator.ask("root.train@4", gpus(2))

    assert answer == Waiting("root.train@4", "root.train waits for 2 GPUs: root.other holds 1 of 2", ("root.other@1",))


def test_several_holders_and_those_ahead_in_the_line_are_named() -> None:
    allocator = Allocator(8, GIB, ["0", "1"])
    for name in ("a", "b"):
        allocator.ask(f"root.{name}@1", gpus(1))
    allocator.ask("root.c@1", gpus(2))

    answer = allocator.ask("root.d@1", gpus(1))

    assert isinstance(answer, Waiting)
    assert answer.reason == "root.d waits for 1 GPU: root.a holds 1 and root.b holds 1 of 2, root.c asked first for 2"
    assert answer.holders == ("root.a@1", "root.b@1")


def test_what_the_machine_can_never_give_is_refused_at_once() -> None:
    allocator = Allocator(2, 4 * GIB, ["0"])

    reasons = [
        allocator.ask("root.train@1", gpus(4)),
        allocator.ask("root.train@1", Requirement(cpus=2.5)),
        allocator.ask("root.train@1", Requirement(memory=8 * GIB)),
        Allocator(2, GIB).ask("root.train@1", gpus(1)),
    ]

    assert reasons == [
        Refused("root.train@1", "root.train asks for 4 GPUs, this machine has 1."),
        Refused("root.train@1", "root.train asks for 2.5 CPUs, this machine has 2."),
        Refused("root.train@1", "root.train asks for 8 GiB of memory, this machine has 4 GiB."),
        Refused("root.train@1", "root.train asks for 1 GPU, this machine has none."),
    ]


def test_a_wish_takes_a_gpu_where_there_is_one() -> None:
    answer = Allocator(1, GIB, ["3"]).ask("root.a@1", NONE, wish=1)

    assert answer == Granted(env={"CUDA_VISIBLE_DEVICES": "3"}, devices=("3",))


def test_a_wish_runs_without_where_there_is_none_and_its_environment_is_left_alone() -> None:
    answer = Allocator(1, GIB).ask("root.a@1", NONE, wish=1)

    assert answer == Granted(warning="root.a would like a GPU, this machine has none: it runs without.")


def test_a_wish_never_waits_and_does_not_see_what_others_hold() -> None:
    allocator = Allocator(1, GIB, ["0"])
    allocator.ask("root.a@1", gpus(1))

    answer = allocator.ask("root.b@1", NONE, wish=1)

    warning = "root.b would like a GPU, 1 of 1 are in use: it runs without."
    assert answer == Granted(env={"CUDA_VISIBLE_DEVICES": ""}, warning=warning)


def test_a_wish_for_many_takes_fewer() -> None:
    answer = Allocator(1, GIB, ["0", "1"]).ask("root.a@1", NONE, wish=4)

    assert isinstance(answer, Granted)
    assert answer.devices == ("0", "1")
    assert answer.warning


def test_a_wish_takes_nothing_that_somebody_waits_for() -> None:
    allocator = Allocator(1, GIB, ["0", "1"])
    allocator.ask("root.a@1", gpus(1))
    allocator.ask("root.b@1", gpus(2))

    answer = allocator.ask("root.c@1", NONE, wish=1)

    assert isinstance(answer, Granted)
    assert answer.devices == ()


def test_what_is_released_goes_to_who_asked_first() -> None:
    allocator = Allocator(1, GIB, ["0", "1"])
    allocator.ask("root.a@1", gpus(2))
    for name in ("b", "c", "d"):
        allocator.ask(f"root.{name}@1", gpus(1))

    ready = allocator.release("root.a@1")

    assert ready == ["root.b@1", "root.c@1"]
    assert all(isinstance(allocator.ask(place, gpus(1)), Granted) for place in ready)
    assert isinstance(allocator.ask("root.d@1", gpus(1)), Waiting)


def test_nobody_overtakes_for_what_an_earlier_one_waits_for() -> None:
    allocator = Allocator(8, GIB, ["0", "1"])
    allocator.ask("root.a@1", gpus(1))
    allocator.ask("root.big@1", gpus(2))

    assert isinstance(allocator.ask("root.small@1", gpus(1)), Waiting)
    assert allocator.release("root.a@1") == ["root.big@1"]


def test_who_waits_for_a_gpu_keeps_nobody_from_the_cpus_it_did_not_ask_for() -> None:
    allocator = Allocator(8, GIB, ["0"])
    allocator.ask("root.a@1", gpus(1))
    allocator.ask("root.b@1", Requirement(cpus=6, devices=1))

    assert isinstance(allocator.ask("root.c@1", Requirement(cpus=2)), Granted)
    assert isinstance(allocator.ask("root.d@1", Requirement(cpus=1)), Waiting)


def test_asking_again_changes_nothing() -> None:
    allocator = Allocator(1, GIB, ["0"])
    first = allocator.ask("root.a@1", gpus(1))
    allocator.ask("root.b@1", gpus(1))
    allocator.ask("root.c@1", gpus(1))

    assert allocator.ask("root.a@1", gpus(1)) == first
    assert isinstance(allocator.ask("root.b@1", gpus(1)), Waiting)
    assert allocator.release("root.a@1") == ["root.b@1"]


def test_one_that_gives_up_its_turn_lets_the_next_one_through() -> None:
    allocator = Allocator(1, GIB, ["0", "1"])
    allocator.ask("root.a@1", gpus(1))
    allocator.ask("root.big@1", gpus(2))
    allocator.ask("root.small@1", gpus(1))

    assert allocator.release("root.big@1") == ["root.small@1"]


def test_releasing_what_nobody_knows_does_nothing() -> None:
    assert Allocator(1, GIB).release("root.x@9") == []


REQUIREMENTS = st.builds(
    Requirement,
    cpus=st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0, 4.0]),
    memory=st.sampled_from([0, GIB, 3 * GIB]),
    devices=st.integers(0, 3),
)
STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 7), REQUIREMENTS, st.integers(0, 4)), max_size=60)


@given(STEPS)
def test_nothing_is_given_twice_nobody_starves_and_all_comes_back(
    steps: list[tuple[bool, int, Requirement, int]],
) -> None:
    allocator = Allocator(4, 4 * GIB, ["0", "1", "2"])
    held: dict[str, tuple[Requirement, tuple[str, ...]]] = {}
    line: dict[str, tuple[Requirement, int]] = {}

    def ask(place: str, requirement: Requirement, wish: int) -> None:
        answer = allocator.ask(place, requirement, wish)
        line.pop(place, None) if isinstance(answer, (Granted, Refused)) else line.setdefault(place, (requirement, wish))
        if isinstance(answer, Granted):
            held[place] = (requirement, answer.devices)
            assert len(answer.devices) >= requirement.devices

    def release(place: str) -> None:
        held.pop(place, None)
        line.pop(place, None)
        ready = allocator.release(place)
        assert ready == [name for name in line if name in ready], "first asked, first served"
        for name in ready:
            ask(name, *line[name])
            assert name in held, "whoever is called is served"

    for take, number, requirement, wish in steps:
        place = f"root.w{number}@1"
        if take and place not in held and place not in line:
            ask(place, requirement, wish)
        elif not take:
            release(place)
        devices = [device for _, given_devices in held.values() for device in given_devices]
        assert len(set(devices)) == len(devices)
        assert sum(round(asked.cpus * 1000) for asked, _ in held.values()) <= 4000
        assert sum(asked.memory for asked, _ in held.values()) <= 4 * GIB
    while held:
        release(next(iter(held)))

    assert not line, "with everything back, everybody was served"
    everything = Requirement(cpus=4, memory=4 * GIB, devices=3)
    assert isinstance(allocator.ask("root.all@1", everything), Granted)
