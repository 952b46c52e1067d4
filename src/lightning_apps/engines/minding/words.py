"""What a minder and the desk say to each other: frames of one msgpack value each, over TLS.

minder → desk   Here, Beat, Running, Wrote, Ended, Want, Failed, Tunnel and ToApp (first words of connections of their own)
desk → minder   Begin, GoOn, Away, Beaten, End, Part, OpenTunnel
"""

from __future__ import annotations

from typing import Union

import msgspec

from ...ports import Placement
from .. import framing

LIMIT = 256 << 20  # bytes of one frame
FIRST = 1 << 16  # and of the first one, from somebody who is not known yet


class Here(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """First words of a minder.

    Attributes:
        place, token: which placement it minds, and that it may.
        node: what the launcher calls the machine; "" if it has no name for it.
        machine: the host name there.
        version: of this package there.
        python: major and minor version there.
        pid, began: the worker's process, 0 and "" before there is one.
        ended: how the worker ended while nobody listened.
    """

    place: str
    token: str
    node: str
    machine: str
    version: str
    python: str
    pid: int = 0
    began: str = ""
    ended: Ended | None = None


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The worker and all it started are gone: exit code, or signal.

    `lost`: not of itself and not on request: its lease had run out, or what had launched its minder was gone.
    """

    code: int | None = None
    signal: int | None = None
    lost: bool = False


class Beat(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Still here."""

    number: int


class Running(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The worker was started."""

    pid: int
    began: str


class Wrote(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The worker wrote these bytes; `offset` counts from its beginning."""

    stream: str
    offset: int
    data: bytes


class Want(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """The parcel with this hash is not here."""

    parcel: str


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """The worker cannot be started here: why."""

    reason: str


class Tunnel(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """The first word of a connection that carries bytes of a tunnel from now on, and nothing else."""

    place: str
    token: str
    number: int


class ToApp(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """The first word of a connection that goes on to the app's own server: what follows are bytes of a tunnel."""

    place: str
    token: str


class Begin(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """Start this worker.

    Attributes:
        order: the placement.
        parcel: hash of the app's folder, "" for none.
        folder: where in the parcel the app is run, and the name of its file is relative to.
        patience: seconds; see `lease`.
        grace: seconds between SIGTERM and SIGKILL.
        requirements: packages the worker needs.
    """

    order: Placement
    parcel: str
    patience: float | None
    grace: float
    requirements: tuple[str, ...] = ()


class GoOn(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """Welcome back: so many bytes of the worker's output are kept here."""

    out: int
    err: int


class Away(msgspec.Struct, frozen=True, array_like=True, tag=23):
    """This minder is not wanted, or not any more: it ends its worker and itself."""

    reason: str


class Beaten(msgspec.Struct, frozen=True, array_like=True, tag=24):
    """The answer to a beat, and so many bytes of the worker's output are kept here."""

    number: int
    out: int
    err: int


class End(msgspec.Struct, frozen=True, array_like=True, tag=25):
    """SIGTERM to the worker, SIGKILL after `grace` seconds, for it and all it started."""

    grace: float


class Part(msgspec.Struct, frozen=True, array_like=True, tag=26):
    """Bytes of the parcel that was wanted; no bytes: that was all."""

    data: bytes


class OpenTunnel(msgspec.Struct, frozen=True, array_like=True, tag=27):
    """Dial the desk once more, for this tunnel to a port of the worker's own machine."""

    number: int
    port: int


FromMinder = Union[Here, Ended, Beat, Running, Wrote, Want, Failed, Tunnel, ToApp]
ToMinder = Union[Begin, GoOn, Away, Beaten, End, Part, OpenTunnel]

_ENCODER = msgspec.msgpack.Encoder()
_FROM: msgspec.msgpack.Decoder[FromMinder] = msgspec.msgpack.Decoder(FromMinder)
_TO: msgspec.msgpack.Decoder[ToMinder] = msgspec.msgpack.Decoder(ToMinder)


def frame(message: FromMinder | ToMinder) -> bytes:
    """A message as it travels."""
    return framing.frame(_ENCODER.encode(message))


def from_minder(data: bytes) -> FromMinder:
    """What a minder said.

    Raises:
        msgspec.DecodeError: it is nothing that a minder says.
    """
    return _FROM.decode(data)


def to_minder(data: bytes) -> ToMinder:
    """What the desk said.

    Raises:
        msgspec.DecodeError: it is nothing that a desk says.
    """
    return _TO.decode(data)
