"""What the host and its broker with Ray say to each other, over the broker's standard streams.

host → broker    Launch, Kill, Find, Began, Form, Disband
broker → host    Waits, Refused, NeverBegan, Over, Trouble
"""

from __future__ import annotations

from typing import BinaryIO, Union

import msgspec

from ..ports import Placement
from . import framing
from .gangs import Group, Where


class Launch(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Start an actor for this placement, there, on none of these nodes; `assignment` is for its minder, `mark` for its processes."""

    order: Placement
    assignment: bytes
    mark: str
    avoid: tuple[str, ...]
    where: Where = Where()


class Kill(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """End its actor."""

    place: str


class Find(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """An earlier broker has launched it, on this node."""

    place: str
    mark: str
    node: str


class Began(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Its minder has come, from this node."""

    place: str
    node: str


class Form(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Have room for all of this gang, on none of these nodes, if there is none for it yet."""

    group: Group
    avoid: tuple[str, ...]


class Disband(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Nobody of that gang is left."""

    group: str


class Waits(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """There is no room for it yet."""

    place: str
    reason: str


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """There never will be."""

    place: str
    reason: str


class NeverBegan(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """Ray could not start it; `again`: another time it may."""

    place: str
    reason: str
    again: bool


class Over(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """It is gone, and so is all that it started; `lost`: not of itself."""

    place: str
    lost: bool


class Trouble(msgspec.Struct, frozen=True, array_like=True, tag=15):
    """Something a person should know."""

    message: str


ToBroker = Union[Launch, Kill, Find, Began, Form, Disband]
FromBroker = Union[Waits, Refused, NeverBegan, Over, Trouble]

_ENCODER = msgspec.msgpack.Encoder()
_TO: msgspec.msgpack.Decoder[ToBroker] = msgspec.msgpack.Decoder(ToBroker)
_FROM: msgspec.msgpack.Decoder[FromBroker] = msgspec.msgpack.Decoder(FromBroker)


def write(stream: BinaryIO, message: ToBroker | FromBroker) -> None:
    """Send one.

    Raises:
        OSError: the other side is gone.
    """
    stream.write(framing.frame(_ENCODER.encode(message)))
    stream.flush()


def read_order(stream: BinaryIO) -> ToBroker | None:
    """What the host says next; None when it is gone."""
    data = framing.read_from(stream)
    return None if data is None else _TO.decode(data)


def read_report(stream: BinaryIO) -> FromBroker | None:
    """What the broker says next; None when it is gone."""
    data = framing.read_from(stream)
    return None if data is None else _FROM.decode(data)
