"""What a placement needs of a Ray cluster, and whether its nodes can give it.  Pure: the cluster's view is handed in.

Ray itself hangs in silence where nothing fits; here a request that no node can ever meet is refused with a sentence, and one that has to
wait says for what.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ..base.errors import UsageError
from ..model.quantities import shown_size
from ..ports import Placement


class Need(msgspec.Struct, frozen=True):
    """In Ray's terms.

    Attributes:
        cpus, gpus: fractions allowed.
        memory: bytes.
        custom: custom resources.
        labels: of the node, as Ray's label selectors.
    """

    cpus: float = 0.0
    gpus: float = 0.0
    memory: int = 0
    custom: tuple[tuple[str, float], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def amounts(self) -> dict[str, float]:
        """All of it, by Ray's names, without what is not needed."""
        given = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory), **dict(self.custom)}
        return {name: amount for name, amount in given.items() if amount}


class Node(msgspec.Struct, frozen=True):
    """A node that lives."""

    id: str
    name: str
    total: Mapping[str, float]
    labels: Mapping[str, str]


def options(need: Need, avoid: Sequence[str]) -> dict[str, Any]:
    """As Ray's actors take them; CPUs are always named, since Ray gives one for life where only others are."""
    given: dict[str, Any] = {"num_cpus": need.cpus}
    if need.gpus:
        given["num_gpus"] = need.gpus
    if need.memory:
        given["memory"] = need.memory
    if need.custom:
        given["resources"] = dict(need.custom)
    labels = dict(need.labels)
    if avoid:
        labels["ray.io/node-id"] = f"!in({','.join(avoid)})"
    if labels:
        given["label_selector"] = labels
    return given


def nodes(listed: Iterable[Mapping[str, Any]]) -> list[Node]:
    """The nodes that live, of what `ray.nodes()` gives."""
    return [
        Node(
            each["NodeID"],
            str(each.get("NodeManagerHostname", "")),
            dict(each["Resources"]),
            dict(each.get("Labels", {})),
        )
        for each in listed
        if each["Alive"]
    ]


def table_of(text: str) -> dict[str, dict[str, Any]]:
    """The setting `ray_resources`: what names of CloudCompute ask for, as JSON.

    `{"gpu-fast": {"num_gpus": 1, "resources": {"nvlink": 1}, "labels": {"accelerator": "A100"}}}`

    Raises:
        UsageError: it is not that.
    """
    try:
        table = json.loads(text) if text else {}
        if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
            raise ValueError("a table of tables is wanted")
        unknown = {key for entry in table.values() for key in entry} - {
            "num_cpus",
            "num_gpus",
            "memory",
            "resources",
            "labels",
        }
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    except ValueError as error:
        raise UsageError(f"LIGHTNING_RAY_RESOURCES={text!r} cannot be used: {error}.") from None
    return table


def need_of(order: Placement, table: Mapping[str, Mapping[str, Any]]) -> Need:
    """What this placement needs; what it asks for by number comes before what its name stands for."""
    named = table.get(order.compute, {})
    return Need(
        cpus=float(order.cpus if order.cpus is not None else named.get("num_cpus", 0)),
        gpus=float(order.devices if order.devices is not None else named.get("num_gpus", order.wish_devices)),
        memory=int(order.memory if order.memory is not None else named.get("memory", 0)),
        custom=tuple(sorted({**named.get("resources", {}), **dict(order.resources)}.items())),
        labels=tuple(sorted(named.get("labels", {}).items())),
    )


def without_wish(order: Placement, need: Need, living: Sequence[Node]) -> Need:
    """A GPU that is only wished for is not waited for where no node has one."""
    if order.devices is None and order.wish_devices and not any(node.total.get("GPU") for node in living):
        return msgspec.structs.replace(need, gpus=0.0)
    return need


def never(work: str, need: Need, living: Sequence[Node]) -> str:
    """Why no node can ever give this, or ""."""
    fitting = [node for node in living if _labelled(node, need)]
    if any(all(node.total.get(name, 0) >= amount for name, amount in need.amounts.items()) for node in fitting):
        return ""
    if need.labels and not fitting:
        wanted = ", ".join(f"{key}={value}" for key, value in need.labels)
        return f"{work} asks for a node with the label {wanted}; none of the cluster's {_count(living)} has it."
    lacking = {name: amount for name, amount in need.amounts.items() if max(_totals(fitting, name)) < amount}
    if not lacking:
        return f"{work} asks for {_all(need)} together; no node of the cluster has all of that."
    name, amount = next(iter(lacking.items()))
    most = max(_totals(fitting, name))
    has = f"no node has more than {_shown(name, most)}" if most else "no node has any"
    return f"{work} asks for {_shown(name, amount)}; {has} ({_count(living)})."


def avoidable(work: str, need: Need, living: Sequence[Node], avoid: Sequence[str]) -> Sequence[str]:
    """Those of `avoid` that can be done without: none where no other node could ever give this."""
    others = [node for node in living if node.id not in avoid]
    return () if never(work, need, others) else tuple(node.id for node in living if node.id in avoid)


def waiting(work: str, need: Need, living: Sequence[Node], free: Mapping[str, Mapping[str, float]]) -> str:
    """What is waited for."""
    for name, amount in need.amounts.items():
        left = [free.get(node.id, {}).get(name, 0.0) for node in living]
        if not any(each >= amount for each in left):
            total = sum(node.total.get(name, 0) for node in living)
            return f"{work} waits for {_shown(name, amount)}: {_bare(name, sum(left))} of {_bare(name, total)} are free in the cluster"
    return f"{work} waits for a node of the cluster to start it"


def _labelled(node: Node, need: Need) -> bool:
    return all(node.labels.get(key) == value for key, value in need.labels)


def _totals(living: Sequence[Node], name: str) -> list[float]:
    return [node.total.get(name, 0.0) for node in living] or [0.0]


def _count(living: Sequence[Node]) -> str:
    return "1 node" if len(living) == 1 else f"{len(living)} nodes"


def _all(need: Need) -> str:
    return " and ".join(_shown(name, amount) for name, amount in need.amounts.items())


def _bare(name: str, amount: float) -> str:
    return shown_size(int(amount)) if name == "memory" else f"{amount:g}"


def _shown(name: str, amount: float) -> str:
    if name == "memory":
        return f"{shown_size(int(amount))} of memory"
    if name in ("CPU", "GPU"):
        return f"{amount:g} {name}{'' if amount == 1 else 's'}"
    return f"{amount:g} of {name!r}"
