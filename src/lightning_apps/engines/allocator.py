"""Who gets which CPUs, memory and GPUs of one machine.  Pure bookkeeping: starts nothing and limits nothing.

What is asked for by number is a requirement: it waits in line, or is refused where the machine can never give it.
Nobody is overtaken: what those ahead in the line have asked for is set aside before somebody later is served, so who
waits for a GPU holds up only what it asked for itself.  A wish takes what is free and never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from ..base.messages import Refused, Waiting
from ..model.compute import Requirement
from ..model.quantities import shown_size

CPUS, MEMORY, DEVICES = 0, 1, 2
Amounts = tuple[int, int, int]  # thousandths of a CPU, bytes, GPUs: whole numbers add up exactly
NOTHING: Amounts = (0, 0, 0)


class Granted(msgspec.Struct, frozen=True):
    """The place may start.

    Attributes:
        env: variables it needs; OMP_NUM_THREADS gives way to one that the user has set.
        devices: the GPUs it was given.
        warning: a sentence to show, if a wish was not met; else "".
    """

    env: dict[str, str] = {}
    devices: tuple[str, ...] = ()
    warning: str = ""


Answer: TypeAlias = Granted | Waiting | Refused


class _Held(msgspec.Struct, frozen=True):
    """What one place has."""

    amounts: Amounts
    granted: Granted


class Allocator:
    """Gives out the resources of one machine.

    Args:
        cpus: how many CPUs there are.
        memory: bytes of memory.
        gpus: ids or UUIDs of the GPUs that may be given out, or a function that finds them, called when one is wanted.
    """

    def __init__(self, cpus: float, memory: int, gpus: Sequence[str] | Callable[[], Sequence[str]] = ()) -> None:
        self._cpus, self._memory = _thousandths(cpus), memory
        self._find = gpus
        self._gpus: tuple[str, ...] | None = None
        self._held: dict[str, _Held] = {}
        self._line: dict[str, Amounts] = {}  # in the order of asking

    def ask(self, place: str, requirement: Requirement, wish: int = 0) -> Answer:
        """May this place start?  Whoever has to wait keeps its turn when it asks again.

        Args:
            place: such as "root.train@3".
            requirement: what it asks for by number.
            wish: GPUs it would like to have besides, as many of them as are free.
        """
        answer = self.ask_together(place, {place: (requirement, wish)})
        return answer[place] if isinstance(answer, dict) else answer

    def ask_together(
        self, name: str, parts: Mapping[str, tuple[Requirement, int]]
    ) -> dict[str, Granted] | Waiting | Refused:
        """May these places start, all or none?

        Args:
            name: under which they wait in line; that of the place itself, where it is one.
            parts: requirement and wish of each place.
        """
        if all(place in self._held for place in parts):
            return {place: self._held[place].granted for place in parts}
        needs = {place: _amounts(requirement) for place, (requirement, _) in parts.items()}
        need = (
            sum(each[0] for each in needs.values()),
            sum(each[1] for each in needs.values()),
            sum(each[2] for each in needs.values()),
        )
        for kind in range(3):
            if need[kind] and need[kind] > self._total(kind):
                self._line.pop(name, None)
                return Refused(name, f"{_name(name)} asks for {_shown(kind, need[kind])}, {self._machine(kind)}.")
        short = [kind for kind in range(3) if need[kind] and need[kind] > self._within_reach(name, kind)]
        if short:
            self._line[name] = need
            return self._waiting(name, need, short)
        self._line.pop(name, None)
        by_number_first = sorted(parts, key=lambda place: not needs[place][DEVICES])
        granted = {place: self._grant(place, needs[place], parts[place][1]) for place in by_number_first}
        return {place: granted[place] for place in parts}

    def hand_on(self, place: str, successor: str) -> None:
        """What one place has, if anything, belongs to another from now on."""
        held = self._held.pop(place, None)
        if held is not None:
            self._held[successor] = held

    def adopt(self, place: str, requirement: Requirement, devices: tuple[str, ...]) -> None:
        """This place lives already and has these GPUs: another host's bookkeeping goes on here."""
        amounts = (_thousandths(requirement.cpus), requirement.memory, len(devices))
        self._held[place] = _Held(amounts, Granted(devices=devices))

    def release(self, place: str) -> list[str]:
        """Take back what a place has, or its turn in line; returns who can be served now, in the order to ask again."""
        self._held.pop(place, None)
        self._line.pop(place, None)
        return [
            name
            for name, need in self._line.items()
            if all(not need[kind] or need[kind] <= self._within_reach(name, kind) for kind in range(3))
        ]

    def devices_of(self, place: str) -> tuple[str, ...]:
        """The GPUs a place was given."""
        return self._held[place].granted.devices if place in self._held else ()

    # -- counting ------------------------------------------------------------------------------------------

    @property
    def knows_gpus(self) -> bool:
        """Whether `gpus` is there at once."""
        return self._gpus is not None or not callable(self._find)

    @property
    def gpus(self) -> tuple[str, ...]:
        """All GPUs that may be given out; found when this is first asked."""
        if self._gpus is None:
            self._gpus = tuple(self._find() if callable(self._find) else self._find)
        return self._gpus

    def _total(self, kind: int) -> int:
        return (self._cpus, self._memory, len(self.gpus) if kind == DEVICES else 0)[kind]

    def _within_reach(self, place: str, kind: int) -> int:
        """What is free for this place: all that nobody holds and nobody ahead of it in the line has asked for."""
        free = self._total(kind) - sum(held.amounts[kind] for held in self._held.values())
        for name, need in self._line.items():
            if name == place:
                break
            free -= need[kind]
        return free

    # -- answers -------------------------------------------------------------------------------------------

    def _grant(self, place: str, need: Amounts, wish: int) -> Granted:
        warning, wished = "", 0
        if wish > 0 and not need[DEVICES]:
            wished = max(0, min(wish, self._within_reach(place, DEVICES)))
            warning = "" if wished == wish else self._unmet(place, wish, wished)
        devices = self._pick(need[DEVICES] + wished)
        env = {"OMP_NUM_THREADS": str(max(1, need[CPUS] // 1000))} if need[CPUS] else {}
        if devices or (wish > 0 and self.gpus):
            env["CUDA_VISIBLE_DEVICES"] = ",".join(devices)  # empty where all are held: "without" has to mean it
        granted = Granted(env=env, devices=devices, warning=warning)
        self._held[place] = _Held((need[CPUS], need[MEMORY], len(devices)), granted)
        return granted

    def _pick(self, count: int) -> tuple[str, ...]:
        if not count:
            return ()
        taken = {device for held in self._held.values() for device in held.granted.devices}
        return tuple(device for device in self.gpus if device not in taken)[:count]

    def _waiting(self, place: str, need: Amounts, short: list[int]) -> Waiting:
        """The sentence speaks of one kind, the scarcest; `holders` are those of every kind it lacks."""
        kind = short[-1]
        holders = [name for name, held in self._held.items() if any(held.amounts[lacking] for lacking in short)]
        amounts = {name: self._held[name].amounts[kind] for name in holders}
        said = [f"{_name(name)} holds {_bare(kind, amount)}" for name, amount in amounts.items() if amount]
        said = [f"{_listed(said)} of {_bare(kind, self._total(kind))}"] if said else []
        ahead = {name: self._line[name][kind] for name in _before(place, self._line)}
        said += [f"{_name(name)} asked first for {_bare(kind, amount)}" for name, amount in ahead.items() if amount]
        return Waiting(place, f"{_name(place)} waits for {_shown(kind, need[kind])}: {', '.join(said)}", tuple(holders))

    def _unmet(self, place: str, wish: int, got: int) -> str:
        wanted = "a GPU" if wish == 1 else f"{wish} GPUs"
        if not self.gpus:
            return f"{_name(place)} would like {wanted}, this machine has none: it runs without."
        outcome = f"it gets {got}" if got else "it runs without"
        held = sum(entry.amounts[DEVICES] for entry in self._held.values())
        return f"{_name(place)} would like {wanted}, {held} of {len(self.gpus)} are in use: {outcome}."

    def _machine(self, kind: int) -> str:
        total = self._total(kind)
        return f"this machine has {_bare(kind, total)}" if total else "this machine has none"


def _before(place: str, line: Iterable[str]) -> list[str]:
    names = list(line)
    return names[: names.index(place)]


def _amounts(requirement: Requirement) -> Amounts:
    return _thousandths(requirement.cpus), requirement.memory, requirement.devices


def _thousandths(cpus: float) -> int:
    return round(cpus * 1000)


def _name(place: str) -> str:
    """The work's name in a place's id: "root.train" of "root.train@3"."""
    return place.rpartition("@")[0] or place


def _bare(kind: int, amount: int) -> str:
    """The number alone: "2", "0.5", "4 GiB"."""
    return shown_size(amount) if kind == MEMORY else f"{amount / 1000:g}" if kind == CPUS else str(amount)


def _shown(kind: int, amount: int) -> str:
    """The number with what is counted: "2 GPUs", "1 CPU", "4 GiB of memory"."""
    if kind == MEMORY:
        return f"{shown_size(amount)} of memory"
    unit = "CPU" if kind == CPUS else "GPU"
    one = amount == (1000 if kind == CPUS else 1)
    return f"{_bare(kind, amount)} {unit}{'' if one else 's'}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
