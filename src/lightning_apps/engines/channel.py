"""The keeper's protocol: msgpack frames between host, keeper, zygote and its spare over socket pairs.  Knows not what they mean.

host → keeper     PlaceWorker, StopWorker, CloseAll, Failed, Survey, Progressed, Follow, Unfollow
keeper → host     Started, Refused, Exited (of `base.messages`), Closed
keeper → zygote   ForkWorker, ForkHost (with the host's end of its own channel)
zygote → keeper   Loaded, HostStarted, Forked, Reaped, Refused, Failed
zygote → spare    ForkWorker
spare → zygote    SpareReady
"""

from __future__ import annotations

import os
import socket
from array import array
from typing import Any, Union

import msgspec

from ..base.messages import Exited, Refused, Started
from ..ports import Placement
from . import framing

CHUNK = 1 << 16
ROOM = socket.CMSG_SPACE(4 * array("i").itemsize)  # for file descriptors; socket.recv_fds ignores its flags


class PlaceWorker(msgspec.Struct, frozen=True, array_like=True, tag=101):
    """Start this worker."""

    order: Placement


class StopWorker(msgspec.Struct, frozen=True, array_like=True, tag=102):
    """SIGTERM, then SIGKILL after `grace` seconds, for it and all it started."""

    place: str
    grace: float


class CloseAll(msgspec.Struct, frozen=True, array_like=True, tag=103):
    """End every worker; answered by `Closed` when nothing of them is left and their output is written."""

    grace: float


class Closed(msgspec.Struct, frozen=True, array_like=True, tag=104):
    """No worker is left."""


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=105):
    """A sentence for the terminal, said by the keeper; the process that sends it ends."""

    message: str
    exit_code: int


class ForkWorker(msgspec.Struct, frozen=True, array_like=True, tag=106):
    """Fork this worker."""

    order: Placement


class ForkHost(msgspec.Struct, frozen=True, array_like=True, tag=107):
    """Fork the host, or become it where forking is unsafe; its end of a channel comes with the frame."""


class Loaded(msgspec.Struct, frozen=True, array_like=True, tag=108):
    """The app is there; `forks`: this process can be forked from now on."""

    forks: bool


class HostStarted(msgspec.Struct, frozen=True, array_like=True, tag=109):
    """The host lives in this process."""

    pid: int


class Forked(msgspec.Struct, frozen=True, array_like=True, tag=110):
    """This worker lives in this process."""

    place: str
    pid: int


class Reaped(msgspec.Struct, frozen=True, array_like=True, tag=111):
    """A child of the zygote ended with this wait status."""

    pid: int
    status: int


class SpareReady(msgspec.Struct, frozen=True, array_like=True, tag=112):
    """A process that was forked ahead waits for what it is to be."""


class Survey(msgspec.Struct, frozen=True, array_like=True, tag=113):
    """From a host that takes over: what became of the places of the one before it?"""


class Surveyed(msgspec.Struct, frozen=True, array_like=True, tag=114):
    """The orders and processes of the places that live, and how the others ended."""

    living: tuple[tuple[Placement, int], ...]
    ended: tuple[Exited, ...]


class Progressed(msgspec.Struct, frozen=True, array_like=True, tag=115):
    """This host has recorded a turn: if it dies now, that is another death."""


class Follow(msgspec.Struct, frozen=True, array_like=True, tag=116):
    """Show what comes into these files of a work's worker, which is elsewhere."""

    work: str
    out: str
    err: str


class Unfollow(msgspec.Struct, frozen=True, array_like=True, tag=117):
    """That worker has ended."""

    out: str
    err: str


ToKeeper = Union[PlaceWorker, StopWorker, CloseAll, Survey, Progressed, Follow, Unfollow]
Message = Union[
    Started, Refused, Exited, PlaceWorker, StopWorker, CloseAll, Closed, Failed,
    ForkWorker, ForkHost, Loaded, HostStarted, Forked, Reaped, SpareReady, Survey, Surveyed, Progressed, Follow, Unfollow,
]  # fmt: skip

ENCODER = msgspec.msgpack.Encoder()
DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


class Channel:
    """One end.  `send` blocks; `tell` never does: what does not fit is kept until `flush`."""

    def __init__(self, end: socket.socket) -> None:
        self.socket, self.closed = end, False
        self.descriptors: list[int] = []  # that came with frames
        self._incoming, self._outgoing = bytearray(), bytearray()

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Two connected ends."""
        left, right = socket.socketpair()
        return cls(left), cls(right)

    @classmethod
    def adopt(cls, descriptor: int) -> Channel:
        """The end behind a file descriptor, which belongs to the channel from now on."""
        end = socket.socket(fileno=descriptor)
        end.setblocking(True)
        return cls(end)

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def waiting(self) -> bool:
        """Whether something told is not sent yet."""
        return bool(self._outgoing) and not self.closed

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """Send a message, and a file descriptor with it; waits while the other end is slow.

        Raises:
            OSError: the other end is gone.
        """
        frame = encode(message)
        if self._outgoing:
            self.socket.sendall(self._outgoing)
            self._outgoing.clear()
        if descriptor is not None:
            sent = socket.send_fds(self.socket, [frame], [descriptor])
            frame = frame[sent:]
        if frame:  # sending nothing fails as well once the other end has closed
            self.socket.sendall(frame)

    def tell(self, message: Message) -> None:
        """Send a message without ever waiting; nothing happens when the other end is gone."""
        self._outgoing += encode(message)
        self.flush()

    def flush(self) -> None:
        """Send what was told and did not fit, as far as it fits now."""
        while self.waiting:
            try:
                sent = self.socket.send(self._outgoing, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            del self._outgoing[:sent]

    def receive(self, *, wait: bool = True) -> list[Message]:
        """What has arrived; waits for something to read unless told not to.  Sets `closed` at the end of the stream."""
        try:
            data, extra, *_ = self.socket.recvmsg(CHUNK, ROOM, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            data, extra = b"", []
        for _, _, numbers in extra:
            self.descriptors += array("i", numbers)
        for descriptor in self.descriptors:
            os.set_inheritable(descriptor, False)
        self.closed = self.closed or not data
        self._incoming += data
        return [DECODER.decode(each) for each in framing.take(self._incoming)]

    def close(self) -> None:
        """Close this end."""
        self.closed = True
        self.socket.close()


def encode(message: Any) -> bytes:
    """One frame."""
    return framing.frame(ENCODER.encode(message))
