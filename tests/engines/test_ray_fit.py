"""What a placement asks of a Ray cluster, and the sentences where it cannot be had."""

from __future__ import annotations

import pytest

from lightning_apps.base.errors import UsageError
from lightning_apps.engines import ray_fit
from lightning_apps.engines.ray_fit import Need, Node
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
