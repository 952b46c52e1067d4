"""A worker's process that was forked ahead: it has done what depends on no order, and waits for one.

Knows nothing of works, nor when a spare is worth having.  It dies with the zygote, which alone holds the other end of
its channel, and sleeps until then.
"""

from __future__ import annotations

from ..engines.channel import Channel, ForkWorker, SpareReady
from ..ports import Placement

ROOM = 1 << 15  # bytes of a pickled work that a socket surely takes at once; what is larger is inherited by a fork


class Spare:
    """One of them, as the zygote sees it.

    Attributes:
        ready: it waits for its order; before that it may be slow, or hang.
    """

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid, self.channel, self.ready = pid, channel, False

    def hear(self) -> bool:
        """It said something, or has ended; returns whether it is still there."""
        self.ready = bool(self.channel.receive(wait=False)) or self.ready
        return not self.channel.closed

    def take(self, order: Placement) -> bool:
        """Have it become the worker of `order`; returns whether it does.  Call it once."""
        self.channel.tell(ForkWorker(order))
        return not self.channel.closed

    def suits(self, order: Placement) -> bool:
        """Whether it may be given this order."""
        return self.ready and len(order.pickled or b"") <= ROOM


def await_order(channel: Channel) -> Placement | None:
    """In the spare: what it is to be, or None if the zygote is gone."""
    channel.tell(SpareReady())
    while not channel.closed:
        for message in channel.receive():
            if isinstance(message, ForkWorker):
                channel.close()
                return message.order
    return None
