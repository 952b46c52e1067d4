"""Gangs of one app: who was asked for, who is still missing, who has which place in a gang that has formed.  Pure; places nothing.

A gang forms when all its members were asked for, and is there until the last of them has ended.  Until then a member's place in it
stays its own: one that is lost or tried again comes back to it.  One that comes back when its gang is no more goes alone, since the
others of it will not come.
"""

from __future__ import annotations

import msgspec

from ..base.messages import Refused, Waiting
from ..model.gang import Gang
from ..ports import Placement


class Group(msgspec.Struct):
    """A gang that has formed.

    Attributes:
        id: names it within the run, and no other before or after it.
        orders: of its members, by their number in it; those that have left as well, until others come in their place.
        living: places that have not ended, by number.
    """

    id: str
    gang: Gang
    orders: list[Placement]
    living: dict[int, str]

    def number_of(self, work: str) -> int | None:
        """The place in the gang for a work that comes to it: its own, or one that nobody has."""
        own = next((number for number, order in enumerate(self.orders) if order.work == work), None)
        free = [number for number in range(self.gang.size) if number not in self.living]
        return own if own is not None else next(iter(free), None)


class Slot(msgspec.Struct, frozen=True):
    """A place in a gang that has formed before."""

    group: Group
    number: int


class Where(msgspec.Struct, frozen=True):
    """Where a launcher is to start a minder.

    Attributes:
        group, number: in this place of a gang that it has formed; "": in none.
        node: on this machine; "": on any.
    """

    group: str = ""
    number: int = 0
    node: str = ""


class Alone(msgspec.Struct, frozen=True):
    """It is placed by itself."""


Joined = Waiting | Refused | Group | Slot | Alone


class Gangs:
    """All gangs of one app, by name."""

    def __init__(self) -> None:
        self._gathering: dict[str, dict[str, Placement]] = {}
        self._formed: dict[str, Group] = {}
        self._slots: dict[str, Slot] = {}

    def join(self, order: Placement) -> Joined:
        """A member is asked for; a `Group` where it was the last one that was missing."""
        gang = order.gang
        if gang is None:
            return Alone()
        group = self._formed.get(gang.name)
        if group is not None:
            return self._come(group, order)
        if order.again:
            return Alone()
        others = self._gathering.setdefault(gang.name, {})
        if reason := _disagree(order, [*others.values()]):
            return Refused(order.place, reason)
        others[order.place] = order
        if len(others) == gang.size:
            del self._gathering[gang.name]
            return self._form(gang, sorted(others.values(), key=lambda each: each.place))
        together = "starts alone" if gang.size == 1 else f"its {gang.size} works start together"
        return Waiting(
            order.place, f"{order.work} waits for its gang {gang.name!r}: {together}, and not all were asked for yet"
        )

    def _form(self, gang: Gang, orders: list[Placement]) -> Group:
        places = {number: order.place for number, order in enumerate(orders)}
        group = self._formed[gang.name] = Group(f"{gang.name} of {orders[0].place}", gang, orders, places)
        self._slots.update({place: Slot(group, number) for number, place in places.items()})
        return group

    def _come(self, group: Group, order: Placement) -> Slot | Refused:
        if order.place in self._slots:
            return self._slots[order.place]
        number = group.number_of(order.work)
        if number is None or number in group.living:
            full = f"its gang {group.gang.name!r}, which has its {group.gang.size} works"
            return Refused(order.place, f"{order.work} cannot join {full}: give it a Gang with another name.")
        group.orders[number], group.living[number] = order, order.place
        self._slots[order.place] = slot = Slot(group, number)
        return slot

    def take_up(self, group: Group, number: int, place: str) -> bool:
        """An earlier host's: this place has this number in it; whether it is the first that comes back to it."""
        found = self._formed.setdefault(group.gang.name, group)
        found.living[number] = place
        self._slots[place] = Slot(found, number)
        return found is group

    def has(self, group: str) -> bool:
        """Whether anybody is left of the gang with this id."""
        return any(each.id == group for each in self._formed.values())

    def slot_of(self, place: str) -> Slot | None:
        """Its place in a gang that has formed."""
        return self._slots.get(place)

    def leave(self, place: str) -> Group | None:
        """It has ended, or is not wanted any more; the gang that is no more with it."""
        for name, others in list(self._gathering.items()):
            if others.pop(place, None) is not None and not others:
                del self._gathering[name]
        slot = self._slots.pop(place, None)
        if slot is None:
            return None
        slot.group.living.pop(slot.number, None)
        if slot.group.living:
            return None
        self._formed.pop(slot.group.gang.name, None)
        return slot.group

    def gathers(self, place: str) -> bool:
        """Whether it waits for others of its gang to be asked for."""
        return any(place in others for others in self._gathering.values())


def _disagree(order: Placement, others: list[Placement]) -> str:
    """Why this order cannot be of one gang with these."""
    other = next((each for each in others if each.gang != order.gang), None)
    if other is None or order.gang is None or other.gang is None:
        return ""
    return (
        f"{order.work} and {other.work} do not mean the same by the gang {order.gang.name!r} ({order.gang.size} works, "
        f"{order.gang.strategy!r}, and {other.gang.size}, {other.gang.strategy!r}): give both the same Gang."
    )
