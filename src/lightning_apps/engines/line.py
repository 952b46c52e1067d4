"""Who may start on this machine now, alone or as a gang, and who has to wait for what: over the machine's `Allocator`.  Starts nothing.

A gang asks once, for all of its members, so that two of them never hold half of what each needs.
"""

from __future__ import annotations

import math

import msgspec

from ..base.messages import Refused, Waiting
from ..model.compute import Requirement
from ..ports import Placement
from .allocator import Allocator, Answer
from .gangs import Alone, Gangs, Group, Slot

GANG = "gang "
Answers = list[tuple[Placement, Answer]]


class Line:
    """All who ask for this machine's resources."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator, self._gangs = allocator, Gangs()
        self._asked: dict[str, list[Placement]] = {}  # who waits for room, by the name in the allocator's line

    def ask(self, order: Placement) -> Answers:
        """May it start?  The answer is about others too, where it was the last one that its gang was waiting for."""
        if (reason := apart(order)) and not self._gangs.slot_of(order.place):
            return [(order, Refused(order.place, reason))]
        joined = self._gangs.join(order)
        if isinstance(joined, Group):
            return self._ask_for(_line_name(joined), joined.orders)
        if isinstance(joined, Slot):
            return self._come_back(order, joined)
        if isinstance(joined, Alone):
            return self._ask_for(order.place, [order])
        return [(order, joined)]

    def _come_back(self, order: Placement, slot: Slot) -> Answers:
        """What its predecessor had is set aside for it; where the gang itself still waits, it waits with it."""
        name = _line_name(slot.group)
        if name in self._asked:
            self._asked[name] = slot.group.orders
            return self._ask_for(name, slot.group.orders)
        self._allocator.hand_on(_vacancy(slot), order.place)
        return self._ask_for(order.place, [order])

    def _ask_for(self, name: str, orders: list[Placement]) -> Answers:
        answer = self._allocator.ask_together(
            name, {each.place: (needs_of(each), each.wish_devices) for each in orders}
        )
        here = [each for each in orders if name == each.place or self._gangs.slot_of(each.place)]
        if isinstance(answer, Waiting):
            self._asked[name] = orders
            return [(each, msgspec.structs.replace(answer, place=each.place)) for each in here]
        self._asked.pop(name, None)
        if isinstance(answer, Refused):
            reason = answer.reason[:1].upper() + answer.reason[1:] if name.startswith(GANG) else answer.reason
            return [(each, Refused(each.place, reason)) for each in here]
        for number, each in enumerate(orders):
            if each not in here:  # it has left while all of them waited
                self._allocator.hand_on(each.place, f"{name}{number}")
        return [(each, answer[each.place]) for each in here]

    def release(self, place: str) -> Answers:
        """It has ended, or is not wanted any more: who may start now."""
        slot, gone = self._gangs.slot_of(place), self._gangs.leave(place)
        self._asked.pop(place, None)
        if slot is not None and gone is None:
            self._allocator.hand_on(place, _vacancy(slot))
            return []
        names = [place]
        if gone is not None:
            names += [_line_name(gone), *(_vacancy(Slot(gone, number)) for number in range(gone.gang.size))]
            self._asked.pop(_line_name(gone), None)
        for name in names:
            served = self._allocator.release(name)
        return [answer for name in served if name in self._asked for answer in self._ask_for(name, self._asked[name])]

    def adopt(self, order: Placement, devices: tuple[str, ...]) -> None:
        """It lives already, and has these GPUs."""
        self._allocator.adopt(order.place, needs_of(order), devices)


def apart(order: Placement) -> str:
    """Why a gang cannot be on one machine, or ""."""
    gang = order.gang
    if gang is None or gang.size == 1 or gang.strategy != "strict_spread":
        return ""
    return (
        f"The gang {gang.name!r} of {order.work} asks for {gang.size} machines (strict_spread), and this engine has one: "
        'strategy="spread" takes as many as there are.'
    )


def needs_of(order: Placement) -> Requirement:
    """What a placement asks for by number."""
    return Requirement(cpus=order.cpus or 0, memory=order.memory or 0, devices=math.ceil(order.devices or 0))


def _line_name(group: Group) -> str:
    """In the allocator's line and sentences, which take what is before the last "@" for a name."""
    return f"{GANG}{group.gang.name!r}@"


def _vacancy(slot: Slot) -> str:
    return f"{_line_name(slot.group)}{slot.number}"
