"""What changed lately, for any number of readers at their own pace: kept once, within bounds, and never per reader."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from .board import Board

ENTRIES, BYTES = 4096, 8 << 20  # what is kept of the past
ENOUGH = 64 << 10  # bytes of changes that are told one by one however small the state is
SHARE = 4  # a delivery is followed by a pause of so many times what it cost


class Entry(NamedTuple):
    """One turn: its version, and its changes as JSON, without brackets."""

    version: str
    changes: bytes


class Feed:
    """Follows the board from the first reader on, until a while after the last.

    Args:
        spent: seconds that this thread has worked: waiting for a processor that others use is no reason for a longer pause.

    Attributes:
        readers: how many follow.
    """

    def __init__(
        self, board: Board, loop: asyncio.AbstractEventLoop, spent: Callable[[], float] = time.thread_time
    ) -> None:
        self._board, self._loop, self._spent = board, loop, spent
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._first = 0  # number of the oldest entry
        self._oldest = ""  # version before it
        self._bell = asyncio.Event()
        self._not_before = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._news = False
        self._message: tuple[int, int, str] = (-1, -1, "")
        self.readers = 0

    # -- the board's side ----------------------------------------------------------------------------------

    def follow(self) -> None:
        """From now on what changes is kept."""
        if self._board.listener is None:
            self._board.catch_up()
            self._oldest = self._board.version
            self._board.listener = self._listen

    def rest(self) -> None:
        """Nobody follows: nothing is kept."""
        if not self.readers:
            self._board.listener = None
            self._first += len(self._entries)
            self._entries.clear()
            self._bytes = 0

    def _listen(self, version: str, news: list[bytes]) -> None:
        changes = b",".join(news)
        self._entries.append(Entry(version, changes))
        self._bytes += len(changes)
        while len(self._entries) > ENTRIES or (self._bytes > BYTES and len(self._entries) > 1):
            gone = self._entries.popleft()
            self._bytes -= len(gone.changes)
            self._first, self._oldest = self._first + 1, gone.version
        self._news = True

    def deliver(self) -> None:
        """Wake whoever waits for news, if there are any; not so often that there is time for nothing else."""
        if not self._news or self._timer is not None:
            return
        wait = self._not_before - self._loop.time()
        if wait > 0:
            self._timer = self._loop.call_later(wait, self._deliver)
        else:
            self._deliver()

    def _deliver(self) -> None:
        self._timer = None
        self._board.catch_up()
        self._news = False
        bell, self._bell = self._bell, asyncio.Event()
        began = self._spent()
        bell.set()
        self._loop.call_soon(self._delivered, began)  # behind everybody whom the bell woke

    def _delivered(self, began: float) -> None:
        self._not_before = self._loop.time() + SHARE * (self._spent() - began)

    # -- the readers' side ---------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The number of the next entry."""
        return self._first + len(self._entries)

    def after(self, version: str) -> int | None:
        """The number of the first entry after this version; None if that is not known any more."""
        if version == self._board.version:
            return self.now
        if version == self._oldest:
            return self._first
        for number, entry in enumerate(self._entries, self._first + 1):
            if entry.version == version:
                return number
        return None

    async def news(self, number: int) -> None:
        """Wait until there is an entry of this number."""
        while self.now <= number:
            await self._bell.wait()

    def since(self, number: int) -> str | None:
        """All from this entry on in one message; None if some of it is not kept, or the whole state is the shorter answer."""
        now = self.now
        if self._message[:2] == (number, now):
            return self._message[2]
        if number < self._first:
            return None
        entries = [self._entries[at - self._first] for at in range(number, now)]
        if len(entries) > 1 and sum(len(entry.changes) for entry in entries) > 2 * len(self._board.state()) + ENOUGH:
            return None
        changes = b",".join([entry.changes for entry in entries])
        text = b'{"type":"changes","version":"%b","changes":[%b]}' % (entries[-1].version.encode(), changes)
        self._message = (number, now, text.decode())
        return self._message[2]
