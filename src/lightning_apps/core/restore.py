"""A coordinator to plain values and back: a snapshot, and the records of the turns after it on top.

No code of users runs again but the `__init__` of components that were made while the app ran.  Knows no files and no wire:
how a worker's bytes are read is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import msgspec

from ..base import messages as m
from ..base.encoding import decode_change
from ..base.errors import StateMismatch
from ..base.messages import Outcome, Record
from ..base.status import WorkStageStatus as Stage
from ..model.retry import Backoff, Policy
from .arguments import describe
from .finished import Part
from .life import LEAVING, Life
from .made import make_again
from .reconcile import reconcile

Coordinator = Any  # it is defined in terms of this module
FORMAT = 2
RESUMED = "the app was resumed"
Read = Callable[[bytes], Any]


def snapshot(coordinator: Coordinator, apart: bool = False) -> dict[str, Any]:
    """Everything between two turns; encode it before the next one.  Not copied: it refers to the state itself."""
    crew = coordinator.crew
    return {
        "format": FORMAT,
        "turn": coordinator.turn,
        "at": crew.now,
        "tree": coordinator.lineage.dump(),
        "lives": {name: life.dump(apart) for name, life in crew.lives.items()},
        "crew": crew.dump(),
        "timers": coordinator.schedules.dump(),
    }


def snapshot_apart(coordinator: Coordinator) -> tuple[dict[str, Any], dict[str, tuple[bool, Part]]]:
    """What there is but for the calls that finished long ago; and by work what is new of these, see `Finished.grown`."""
    lives = coordinator.crew.lives.items()
    grown = {name: part for name, life in lives if (part := life.calls.finished.grown(coordinator.turn)) is not None}
    return snapshot(coordinator, apart=True), grown


def put_together(kept: dict[str, Any], parts: Mapping[str, Iterable[tuple[int, Part]]]) -> dict[str, Any]:
    """The snapshot that `snapshot_apart` gave, with the parts up to it by work, each with its turn."""
    for name, life in kept["lives"].items():
        calls = life["calls"]
        if since := calls["since"]:
            calls["finished"] = [part for turn, part in parts.get(name, ()) if turn >= since]
    return kept


def restore(
    coordinator: Coordinator,
    kept: dict[str, Any] | None,
    records: Iterable[Record],
    read: Read,
    now: float,
    alive: Container[str],
    former: Mapping[str, Mapping[str, Any]],
) -> Outcome:
    """See `Coordinator.restore`."""
    if kept is not None:
        _load(coordinator, kept)
    for record in records:
        _replay(coordinator, record, read)
    return _go_on(coordinator, now, alive, former)


def _load(coordinator: Coordinator, kept: dict[str, Any]) -> None:
    if kept["format"] != FORMAT:
        age = "newer" if kept["format"] > FORMAT else "older"
        raise StateMismatch(
            f"This run was saved in format {kept['format']}, and this version reads {FORMAT}: resume it with the {age} version."
        )
    coordinator.open_turn(kept["at"])
    coordinator.turn = kept["turn"]
    coordinator.lineage.load(coordinator.root, kept["tree"])
    crew = coordinator.crew
    for name, dumped in kept["lives"].items():
        life = crew.lives.get(name)
        if life is not None:
            life.load(dumped)
    crew.load(kept["crew"])
    coordinator.schedules.load(kept["timers"])
    coordinator.close_turn()


def _replay(coordinator: Coordinator, record: Record, read: Read) -> None:
    """One turn as it was, without its flow: what came in, then what the flow did."""
    coordinator.turn = record.turn - 1
    coordinator.open_turn(record.at)
    events = [_event(taken, read) for taken in record.taken if not isinstance(taken, m.EngineClosed)]
    if record.ending:
        coordinator.take_last(events)
    else:
        for event in events:
            coordinator.intake.take(event)
    if not (record.done and record.done[0][0] in ("resumed", "ending")):  # those turns looked at none
        coordinator.look_at_timers(record.at)
    for what, *entry in record.done:
        if what in REPEATED:
            REPEATED[what](coordinator, *entry)
    coordinator.schedules.load(record.timers)
    coordinator.crew.failed = []
    coordinator.close_turn()


def _event(taken: Any, read: Read) -> Any:
    """What came in, as it was before it was recorded."""
    if isinstance(taken, m.Heard):
        return m.Said(taken.place, taken.offset, read(taken.raw), taken.raw)
    return taken


def _set(coordinator: Coordinator, name: str, data: bytes) -> None:
    component = coordinator.tree.get(name)
    if component is None:
        return
    change = decode_change(data)
    if len(change.path) == 1 and change.path[0] in component._lit_children:
        component._lit_drop_child(change.path[0])  # a structure gave way to a value
    component._lit_apply(change)
    life = coordinator.crew.lives.get(name)
    if life is not None:
        life.mirror.note(change.path, msgspec.Raw(data))
        coordinator.ledger.moved[name] = life
        if change.path[0] in life.base:
            life.overrule(change.path, change.op, change.value)
        coordinator.crew.resting.note(life)


def _made(coordinator: Coordinator, *entry: Any) -> None:
    make_again(coordinator.root, ["made", *entry])


def _gone(coordinator: Coordinator, name: str) -> None:
    coordinator.lineage.remove(name)


def _structure(coordinator: Coordinator, name: str, attribute: str, kind: str) -> None:
    flow = coordinator.tree.get(name)
    if flow is not None:
        coordinator.lineage.arrange(flow, attribute, kind)


def policy_of(kept: Any) -> Policy:
    """A policy as a record keeps it: its fields in order."""
    retries, backoff, timeout = kept
    return Policy(retries, msgspec.convert(backoff, Backoff), timeout)


def _opened(coordinator: Coordinator, name: str, key: str, arguments: bytes, policy: Any) -> None:
    life = coordinator.crew.lives.get(name)
    if life is not None:
        coordinator.crew.open(life, key, bytes(arguments), policy_of(policy))


def _latest(coordinator: Coordinator, name: str, key: str) -> None:
    life = coordinator.crew.lives.get(name)
    if life is not None:
        life.calls.latest = life.calls.find(key) or life.calls.latest


def _start(coordinator: Coordinator, name: str) -> None:
    life = coordinator.crew.lives.get(name)
    if life is not None:
        coordinator.crew.start(life)


def _stop(coordinator: Coordinator, name: str, delete: bool) -> None:
    life = coordinator.crew.lives.get(name)
    if life is not None:
        coordinator.crew.stop(life, delete)
        life.work._lit_deleted = life.work._lit_deleted or delete


def _port(coordinator: Coordinator, name: str, port: int) -> None:
    life = coordinator.crew.lives.get(name)
    if life is not None:
        life.offered_port = port


def _go_on(
    coordinator: Coordinator, now: float, alive: Container[str], former: Mapping[str, Mapping[str, Any]]
) -> Outcome:
    """What has to be done now: works that have something to do, and no process any more, get another."""
    coordinator.open_turn(now)
    lives = list(coordinator.crew.lives.values())
    gone = [life.place for life in lives if life.place and life.place not in alive]
    coordinator.ledger.record.done.append(["resumed", gone])
    _resumed(coordinator, gone)
    for life in lives:
        _try_again(coordinator, life)
    for life in lives:
        if life.phase == LEAVING or (life.place and life.released):
            coordinator.ledger.emit(m.Stop(life.place, life.delete))
    reconcile(coordinator, former)
    coordinator.awake, coordinator.done = True, False
    outcome: Outcome = coordinator.close_turn()
    return outcome


def _resumed(coordinator: Coordinator, gone: list[str]) -> None:
    """A later host took over here: these places were no more, and whoever has something to do got another."""
    lives = list(coordinator.crew.lives.values())
    for life in lives:
        if life.place in gone:
            _part(coordinator, life, coordinator.crew.now)
    for life in lives:
        if not life.place:
            coordinator.crew.see_to(life)


def _try_again(coordinator: Coordinator, life: Life) -> None:
    """A failure that ended the app is what somebody has mended before resuming it: that call is made again."""
    if not life.work.raise_exception:
        return
    for call in [call for call in life.calls.by_key.values() if call.stage == Stage.FAILED]:
        coordinator.crew.open(life, call.key, call.arguments, call.policy)
        coordinator.ledger.emit(
            m.Say("info", f"{life.name} had failed, which ended the app: {describe(call)} is made again.")
        )


def _part(coordinator: Coordinator, life: Life, now: float) -> None:
    """Its process went away with the host that is no more."""
    coordinator.crew.places.pop(life.place, None)
    call = life.calls.active
    if call is not None:
        call.deadline = 0.0
        life.calls.put_back(call, now, RESUMED)
    life.held, life.tracking = [], False
    life.gone()
    coordinator.crew.waits_no_more(life)


REPEATED: dict[str, Callable[..., None]] = {
    "set": _set, "made": _made, "gone": _gone, "opened": _opened, "latest": _latest, "start": _start, "stop": _stop, "port": _port,
    "structure": _structure, "resumed": _resumed,
}  # fmt: skip
