"""What a placement needs of a Ray cluster, and whether its nodes can give it.  Pure: the cluster's view is handed in.

Ray itself hangs in silence where nothing fits; here a request that no node can ever meet is refused with a sentence, and one that has to
wait says for what.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ..base.errors import UsageError
from ..model.gang import Gang
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


def options(need: Need, avoid: Sequence[str], node: str = "") -> dict[str, Any]:
    """As Ray's actors take them, on this node if one is named; CPUs are always, since Ray gives one for life where only others are."""
    given: dict[str, Any] = {"num_cpus": need.cpus}
    if need.gpus:
        given["num_gpus"] = need.gpus
    if need.memory:
        given["memory"] = need.memory
    if need.custom:
        given["resources"] = dict(need.custom)
    if labels := selector(need, avoid, node):
        given["label_selector"] = labels
    return given


def selector(need: Need, avoid: Sequence[str], node: str = "") -> dict[str, str]:
    """The labels that a node has to have."""
    labels = dict(need.labels)
    if node:
        labels["ray.io/node-id"] = node
    elif avoid:
        labels["ray.io/node-id"] = f"!in({','.join(avoid)})"
    return labels


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


def never_together(gang: Gang, works: Sequence[str], needs: Sequence[Need], living: Sequence[Node]) -> str:
    """Why these can never be placed together, or "" where they can, or that cannot be told."""
    for work, need in zip(works, needs, strict=True):
        if reason := never(work, need, living):
            return reason
    who, all_of_it = f"Gang {gang.name!r}", together(needs)
    if gang.strategy == "strict_spread":
        if (apart := _apart(needs, living)) >= gang.size:
            return ""
        fitting = (
            f"{apart} of the cluster's {_count(living)}" if apart < len(living) else f"the cluster has {_count(living)}"
        )
        return (
            f"{who} asks for a node for each of its {gang.size} works (strict_spread); "
            f"{f'only {fitting} can be theirs' if apart < len(living) else fitting}."
        )
    if gang.strategy == "strict_pack":
        return (
            ""
            if not never("", all_of_it, living)
            else f"{who} asks for {_all(all_of_it)} on one node (strict_pack); no node has that."
        )
    for name, amount in all_of_it.amounts.items():
        total = sum(node.total.get(name, 0.0) for node in living)
        if total < amount:
            return f"{who} asks for {_shown(name, amount)} in all; the cluster has {_bare(name, total)} ({_count(living)})."
    if len(set(needs)) == 1 and (room := _room(needs[0], living, {})) < gang.size:
        return f"{who} asks for {_all(needs[0])} for each of its {gang.size} works; the cluster's {_count(living)} have room for {room}."
    return ""


def together(needs: Sequence[Need]) -> Need:
    """All of it on one node."""
    custom: dict[str, float] = {}
    for need in needs:
        for name, amount in need.custom:
            custom[name] = custom.get(name, 0.0) + amount
    return Need(
        sum(need.cpus for need in needs), sum(need.gpus for need in needs), sum(need.memory for need in needs),
        tuple(sorted(custom.items())), tuple(sorted({label for need in needs for label in need.labels})),
    )  # fmt: skip


def waiting_together(
    gang: Gang, needs: Sequence[Need], living: Sequence[Node], free: Mapping[str, Mapping[str, float]]
) -> str:
    """What a gang waits for."""
    now = [msgspec.structs.replace(node, total=free.get(node.id, {})) for node in living]
    if gang.strategy == "strict_pack":
        return waiting(f"gang {gang.name!r}", together(needs), living, free)
    room = (
        _apart(needs, now)
        if gang.strategy == "strict_spread"
        else min(gang.size, _room(max(needs, key=_size), living, free))
    )
    where, each = "a node each" if gang.strategy == "strict_spread" else "room", _all(needs[0]) or "anything"
    return f"gang {gang.name!r} waits for {where} for all of its {gang.size} works, {each} for each: {room} would find it now"


def _size(need: Need) -> tuple[float, float, float]:
    return (need.gpus, need.cpus, need.memory)


def _room(need: Need, living: Sequence[Node], free: Mapping[str, Mapping[str, float]]) -> int:
    """How many of this the nodes can take, as they are, or with what is free now."""
    found = 0.0
    for node in living:
        has = free.get(node.id, {}) if free else node.total
        if _labelled(node, need):
            found += min(
                (math.floor(has.get(name, 0.0) / amount + 1e-9) for name, amount in need.amounts.items()),
                default=math.inf,
            )
    return int(min(found, 1 << 30))


def _apart(needs: Sequence[Need], living: Sequence[Node]) -> int:
    """How many of these can have a node of their own: a largest matching, found along augmenting paths."""
    owner: dict[str, int] = {}

    def settle(number: int, seen: set[str]) -> bool:
        for node in living:
            if node.id in seen or never("", needs[number], [node]):
                continue
            seen.add(node.id)
            if node.id not in owner or settle(owner[node.id], seen):
                owner[node.id] = number
                return True
        return False

    return sum(settle(number, set()) for number in range(len(needs)))


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
