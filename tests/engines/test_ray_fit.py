"""What a placement asks of a Ray cluster, and the sentences where it cannot be had."""

from __future__ import annotations

import pytest

from lightning_apps.base.errors import UsageError
from lightning_apps.engines import ray_fit
from lightning_apps.engines.ray_fit import Need, Node
from lightning_apps.model.gang import Gang
from lightning_apps.ports import Placement

SMALL = Node("a", "small", {"CPU": 2.0, "memory": 4 << 30}, {})
LARGE = Node("b", "large", {"CPU": 8.0, "GPU": 2.0, "memory": 64 << 30}, {"zone": "east"})


def order(**options: object) -> Placement:
    return Placement(place="root.w@1", work="root.w", address="", token="", **options)


def test_what_is_asked_for_by_number_comes_before_what_a_name_stands_for():
    table = ray_fit.table_of(
        '{"big": {"num_cpus": 4, "num_gpus": 1, "resources": {"licence": 1}, "labels": {"zone": "east"}}}'
    )

    need = ray_fit.need_of(order(compute="big", devices=0.5), table)

    assert need == Need(cpus=4.0, gpus=0.5, custom=(("licence", 1),), labels=(("zone", "east"),))


def test_a_gpu_that_is_only_wished_for_is_not_waited_for_where_there_is_none():
    wish = order(compute="gpu", wish_devices=1)

    assert ray_fit.without_wish(wish, ray_fit.need_of(wish, {}), [SMALL]).gpus == 0
    assert ray_fit.without_wish(wish, ray_fit.need_of(wish, {}), [SMALL, LARGE]).gpus == 1


@pytest.mark.parametrize(
    ("need", "said"),
    [
        (Need(cpus=2.0), ""),
        (Need(gpus=1.0, cpus=8.0), ""),
        (Need(gpus=3.0), "root.w asks for 3 GPUs; no node has more than 2 GPUs (2 nodes)."),
        (Need(cpus=64.0), "root.w asks for 64 CPUs; no node has more than 8 CPUs (2 nodes)."),
        (Need(custom=(("licence", 1.0),)), "root.w asks for 1 of 'licence'; no node has any (2 nodes)."),
        (Need(labels=(("zone", "west"),)), "root.w asks for a node with the label zone=west; none of the cluster's 2 nodes has it."),
    ],
)  # fmt: skip
def test_what_no_node_can_ever_give_is_said(need, said):
    assert ray_fit.never("root.w", need, [SMALL, LARGE]) == said


def test_what_no_single_node_has_together_is_said():
    other = Node("c", "other", {"CPU": 1.0, "licence": 1.0}, {})

    said = ray_fit.never("root.w", Need(cpus=4.0, custom=(("licence", 1.0),)), [LARGE, other])

    assert said == "root.w asks for 4 CPUs and 1 of 'licence' together; no node of the cluster has all of that."


def test_who_waits_is_told_for_what():
    said = ray_fit.waiting("root.w", Need(gpus=1.0), [SMALL, LARGE], {"b": {"GPU": 0.0, "CPU": 3.0}})

    assert said == "root.w waits for 1 GPU: 0 of 2 are free in the cluster"


def test_silent_nodes_are_left_out_and_cpus_are_always_named():
    assert ray_fit.options(Need(gpus=1.0), ("x", "y")) == {
        "num_cpus": 0.0, "num_gpus": 1.0, "label_selector": {"ray.io/node-id": "!in(x,y)"},
    }  # fmt: skip


@pytest.mark.parametrize("text", ["[]", "{", '{"gpu": 1}', '{"gpu": {"num_gpu": 1}}'])
def test_a_table_that_is_none_is_refused_with_its_variable(text):
    with pytest.raises(UsageError, match="LIGHTNING_RAY_RESOURCES"):
        ray_fit.table_of(text)


def test_a_machine_that_is_to_be_avoided_is_not_where_no_other_could_ever_do():
    small, large = Need(cpus=1.0), Need(cpus=4.0)

    assert ray_fit.avoidable("root.w", small, [SMALL, LARGE], ("b", "gone")) == ("b",)
    assert ray_fit.avoidable("root.w", large, [SMALL, LARGE], ("b",)) == ()
    assert ray_fit.avoidable("root.w", small, [SMALL], ("a",)) == ()


THREE = [Node(name, name, {"CPU": 3.0}, {}) for name in "abc"]


@pytest.mark.parametrize(
    ("gang", "need", "said"),
    [
        (Gang("g", 3, "strict_spread"), Need(cpus=2.0), ""),
        (Gang("g", 4, "strict_spread"), Need(cpus=1.0),
         "Gang 'g' asks for a node for each of its 4 works (strict_spread); the cluster has 3 nodes."),
        (Gang("g", 3, "strict_pack"), Need(cpus=1.0), ""),
        (Gang("g", 4, "strict_pack"), Need(cpus=1.0),
         "Gang 'g' asks for 4 CPUs on one node (strict_pack); no node has that."),
        (Gang("g", 9, "pack"), Need(cpus=1.0), ""),
        (Gang("g", 10, "spread"), Need(cpus=1.0), "Gang 'g' asks for 10 CPUs in all; the cluster has 9 (3 nodes)."),
        (Gang("g", 4, "pack"), Need(cpus=2.0),
         "Gang 'g' asks for 2 CPUs for each of its 4 works; the cluster's 3 nodes have room for 3."),
        (Gang("g", 2, "pack"), Need(cpus=4.0), "w0 asks for 4 CPUs; no node has more than 3 CPUs (3 nodes)."),
        (Gang("g", 5, "spread"), Need(), ""),
    ],
)  # fmt: skip
def test_a_gang_that_can_never_be_placed_is_refused_whole(gang, need, said):
    works = [f"w{number}" for number in range(gang.size)]

    assert ray_fit.never_together(gang, works, [need] * gang.size, THREE) == said


def test_nodes_of_their_own_are_matched_to_what_each_work_asks_for():
    nodes = [LARGE, SMALL]
    gang, works = Gang("g", 2, "strict_spread"), ["one", "two"]

    assert ray_fit.never_together(gang, works, [Need(cpus=1.0), Need(cpus=4.0)], nodes) == ""
    assert "only 1 of the cluster's 2 nodes" in ray_fit.never_together(gang, works, [Need(cpus=4.0)] * 2, nodes)


def test_a_gang_that_waits_says_how_many_would_find_room():
    free = {"a": {"CPU": 3.0}, "b": {"CPU": 1.0}, "c": {"CPU": 0.0}}

    def said(strategy):
        return ray_fit.waiting_together(Gang("g", 3, strategy), [Need(cpus=1.0)] * 3, THREE, free)

    assert (
        said("strict_spread")
        == "gang 'g' waits for a node each for all of its 3 works, 1 CPU for each: 2 would find it now"
    )
    assert said("pack") == "gang 'g' waits for room for all of its 3 works, 1 CPU for each: 3 would find it now"
    assert said("strict_pack") == "gang 'g' waits for a node of the cluster to start it"
