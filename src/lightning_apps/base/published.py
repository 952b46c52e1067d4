"""What readers outside the turn are told of it: plain, frozen, and safe to hand to another thread.  Knows nothing of who reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

import msgspec

from .messages import Change
from .status import WorkStatus

Part = Union[Change, bytes]  # a change, or one that is encoded already


class Came(msgspec.Struct, frozen=True):
    """A component is in the tree now, with these values.

    Attributes:
        name: its full name.
        parent: the name of the flow it is in; "" for the root.
        place: where it stands in the shape of `app.state`: ("flows", "train"), ("structures", "ws", "works", "0"); () for the root.
        is_flow: whether it is a flow.
        values: its state attributes, encoded.
        kind: its class.
        options: what it was made with that is no state.
        structures: names of the structures it has, empty ones too.
    """

    name: str
    parent: str
    place: tuple[str, ...]
    is_flow: bool
    values: bytes
    kind: type
    options: Mapping[str, Any] = {}
    structures: tuple[str, ...] = ()


class Went(msgspec.Struct, frozen=True):
    """A component left the tree, with everything below it."""

    name: str


class Arranged(msgspec.Struct, frozen=True):
    """A flow has a structure of this name now, or no more; its elements come and go on their own."""

    flow: str
    key: str
    there: bool


Move = Union[Came, Went, Arranged]


class Published(msgspec.Struct):
    """One turn as readers see it; in order: who came and went, then what changed.

    Attributes:
        turn: its number.
        at: wall time in seconds.
        whole: nothing that was said before counts any more.
        moves: components that came and went, in order.
        changes: by component and attribute, one change that says it all, or several in order.
        statuses: of works whose statuses are others now, oldest first.
        ready: whether the app's page may be shown; None: as before.
    """

    turn: int
    at: float
    whole: bool = False
    moves: list[Move] = []
    changes: dict[str, dict[str, Union[Part, list[Part]]]] = {}
    statuses: dict[str, tuple[WorkStatus, ...]] = {}
    ready: Union[bool, None] = None
