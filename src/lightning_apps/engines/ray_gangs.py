"""Gangs as Ray's placement groups: made at once for all of a gang, found again by name, removed when nobody is left.  Knows no minder.

A group and the actors in it outlive the broker that made it.  Ray moves the bundle of a node that it knows to be dead to another; a node
that only we do not hear keeps its bundle, and who comes back meanwhile is placed beside the group.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from . import ray_fit
from .gangs import Group, Where
from .ray_fit import Need, Node

LEAST = 0.001  # CPUs of a bundle that nothing was asked for: Ray takes no empty ones
AGAIN = 5.0  # seconds between looks at who is left


class Made(msgspec.Struct):
    """One gang.

    Attributes:
        needs: of each of its works.
        handle: Ray's own; None where it cannot be.
        refusal: why, then.
    """

    group: Group
    needs: list[Need]
    handle: Any = None
    refusal: str = ""


class RayGangs:
    """Those that this broker knows.

    Args:
        ray: the module, connected.
        table: what names of CloudCompute stand for.
    """

    def __init__(self, ray: Any, table: Mapping[str, Mapping[str, Any]]) -> None:
        self._ray, self._table = ray, table
        self._api = importlib.import_module("ray.util.placement_group")
        self._made: dict[str, Made] = {}

    def form(self, group: Group, avoid: Sequence[str], living: Sequence[Node]) -> None:
        """Have a placement group for it: the one that is there, or another; or know why there can be none."""
        needs = [ray_fit.without_wish(each, ray_fit.need_of(each, self._table), living) for each in group.orders]
        works = [order.work for order in group.orders]
        made = self._made[group.id] = Made(group, needs, self._found(group.id))
        if made.handle is None:
            made.refusal = ray_fit.never_together(group.gang, works, needs, living)
        if made.handle is None and not made.refusal:
            others = [node for node in living if node.id not in avoid]
            spared = () if ray_fit.never_together(group.gang, works, needs, others) else avoid
            labels = [ray_fit.selector(need, spared) for need in needs]
            more = {"bundle_label_selector": labels} if any(labels) else {}
            made.handle = self._api.placement_group(
                [need.amounts or {"CPU": LEAST} for need in needs],
                strategy=group.gang.strategy.upper(), name=group.id, lifetime="detached", **more,
            )  # fmt: skip

    def _found(self, name: str) -> Any:
        try:
            return self._api.get_placement_group(name)
        except ValueError:
            return None

    def disband(self, group: str) -> None:
        """Give back what it holds."""
        self._made.pop(group, None)
        if (handle := self._found(group)) is not None:
            self._api.remove_placement_group(handle)

    def refusal(self, where: Where) -> str:
        """Why the gang can never be, or ""."""
        made = self._made.get(where.group)
        return made.refusal if made is not None else ""

    def works(self, where: Where) -> tuple[str, ...]:
        """The names of its works."""
        made = self._made.get(where.group)
        return tuple(order.work for order in made.group.orders) if made is not None else ()

    def bundle(self, where: Where, avoid: Sequence[str]) -> Any:
        """How an actor is placed in its bundle; None: beside the group, as the bundle is on a node to be avoided, or nowhere."""
        made = self._made.get(where.group)
        if made is None or made.handle is None:
            return None
        table = self._api.placement_group_table(made.handle)
        if table.get("state", "REMOVED") == "REMOVED" or self._lives(
            table["bundles_to_node_id"].get(where.number), avoid
        ):
            return None
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        return strategies.PlacementGroupSchedulingStrategy(made.handle, placement_group_bundle_index=where.number)

    def _lives(self, node: str | None, among: Sequence[str]) -> bool:
        """Whether Ray believes that this node, one of these, lives: it would not move a bundle from it."""
        return node in among and any(each["NodeID"] == node and each["Alive"] for each in self._ray.nodes())

    def apart_from(self, where: Where) -> tuple[str, ...]:
        """Nodes on which others of its gang are, where each has one of its own."""
        made = self._made.get(where.group)
        if made is None or made.handle is None or made.group.gang.strategy != "strict_spread":
            return ()
        nodes = self._api.placement_group_table(made.handle).get("bundles_to_node_id", {})
        return tuple(node for number, node in nodes.items() if node and number != where.number)

    def waits(self, where: Where, living: Sequence[Node], free: Mapping[str, Mapping[str, float]]) -> str:
        """What the gang waits for; "" where it is none, or one that has been left with less than its room."""
        made = self._made.get(where.group)
        state = "" if made is None or made.handle is None else self._api.placement_group_table(made.handle).get("state")
        if made is None or state not in ("PENDING", "CREATED"):
            return ""
        if state == "CREATED":
            return f"{made.group.orders[where.number].work} waits for a node of the cluster to start it"
        return ray_fit.waiting_together(made.group.gang, made.needs, living, free)


def leave(place: str, works: Sequence[str], group: Any, pause: Callable[[float], None] = time.sleep) -> None:
    """For an actor that nobody comes for: the last of a gang removes its group, which ends that very actor.

    Of those that are left the first by name is the last to go, so that never two wait for each other.
    """
    ray = importlib.import_module("ray")
    while others := [
        each for each in ray.util.list_named_actors() if each != place and each.rpartition("@")[0] in works
    ]:
        if min(others) < place:
            return
        pause(AGAIN)
    with contextlib.suppress(Exception):
        importlib.import_module("ray.util.placement_group").remove_placement_group(group)


def current() -> Any:
    """The placement group that this actor is in; None outside of any.  In the actor's own thread."""
    return importlib.import_module("ray.util.placement_group").get_current_placement_group()
