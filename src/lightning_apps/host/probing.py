"""Waits until somebody answers at an address, on a thread of its own.  Knows neither works nor frontends."""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

FIRST, LONGEST = 0.02, 1.0  # seconds between two tries, twice as many after each
PATIENCE = 5.0  # seconds that a server has for its first word
GOODBYE = 1.0  # seconds in which the rest of an answer is read
STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})")
NOT_YET = (502, 503, 504)


class Answer(msgspec.Struct, frozen=True):
    """Somebody answers: at this path with this status of HTTP, or with words of another kind (status 0)."""

    path: str
    status: int


Told = Callable[[Answer], None]


class _Target(msgspec.Struct, eq=False):
    key: str
    address: str
    paths: Sequence[str]
    told: Told
    due: float = 0.0
    pause: float = FIRST
    at: int = 0  # which of the paths
    line: socket.socket | None = None
    answered: bool = False  # the rest of the answer is read, as a server may not like to be hung up on
    first: Answer | None = None  # what a former path was answered with


class Prober:
    """Asks each target again and again until it answers; a thread that lives while there is one.

    Args:
        sometimes: seconds of the longest pause between two tries.
    """

    def __init__(self, sometimes: float = LONGEST) -> None:
        self._longest = sometimes
        self._targets: dict[str, _Target] = {}
        self._orders: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._number = 0
        self._wake_out, self._wake_in = os.pipe()
        for end in (self._wake_out, self._wake_in):
            os.set_blocking(end, False)

    def watch(self, key: str, address: str, paths: Sequence[str], told: Told) -> None:
        """Call `told` once somebody answers there; takes the place of what had this key.

        Args:
            address: "unix:/path" or "host:port".
            paths: asked one after the other; the first that is not answered with 404 counts, else the first.
            told: called on the prober's thread.
        """
        target = _Target(key, address, paths, told)
        self._order(lambda: self._take(target))

    def drop(self, key: str) -> None:
        """Ask no more."""
        self._order(lambda: self._forget(key))

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            self._closed, thread = True, self._thread
        self._nudge()
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _order(self, order: Callable[[], None]) -> None:
        with self._lock:
            if self._closed:
                return
            self._orders.append(order)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lightning-probes", daemon=True)
                self._thread.start()
            self._nudge()

    def _nudge(self) -> None:
        try:
            os.write(self._wake_in, b".")
        except BlockingIOError:
            """It will wake."""

    # -- its thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(self._wake_out, selectors.EVENT_READ)
            while not self._closed:
                self._obey()
                now = time.monotonic()
                for target in [target for target in self._targets.values() if target.due <= now]:
                    self._due(target)
                wait = min((target.due for target in self._targets.values()), default=None)
                for key, _ in self._selector.select(None if wait is None else max(0.0, wait - time.monotonic())):
                    if key.data is None:
                        os.read(self._wake_out, 4096)
                    else:
                        self._ready(key.data)
            for target in list(self._targets.values()):
                self._hang_up(target)

    def _obey(self) -> None:
        while self._orders:
            self._orders.popleft()()

    def _take(self, target: _Target) -> None:
        self._forget(target.key)
        self._targets[target.key] = target

    def _forget(self, key: str) -> None:
        former = self._targets.pop(key, None)
        if former is not None:
            self._hang_up(former)

    def _hang_up(self, target: _Target) -> None:
        if target.line is not None:
            self._selector.unregister(target.line)
            target.line.close()
            target.line = None

    def _due(self, target: _Target) -> None:
        """Time to try, or time is up."""
        if target.answered:
            self._forget(target.key)
            return
        if target.line is not None:
            self._again(target)
            return
        line = socket.socket(_family(target.address))
        line.setblocking(False)
        code = line.connect_ex(_place(target.address))
        if code not in (0, errno.EINPROGRESS):
            line.close()
            self._again(target)
            return
        target.line, target.due = line, time.monotonic() + PATIENCE
        self._selector.register(line, selectors.EVENT_WRITE, target)

    def _ready(self, target: _Target) -> None:
        line = target.line
        if line is None:
            return
        try:
            if self._selector.get_key(line).events == selectors.EVENT_WRITE:
                self._ask(target, line)
            elif target.answered:
                self._listen_on(target, line)
            else:
                self._hear(target, line.recv(64))
        except OSError:
            self._again(target)

    def _listen_on(self, target: _Target, line: socket.socket) -> None:
        try:
            over = not line.recv(1 << 16)
        except OSError:
            over = True
        if over:
            self._due(target)

    def _ask(self, target: _Target, line: socket.socket) -> None:
        line.getpeername()  # an error where nobody listens
        request = f"GET {target.paths[target.at]} HTTP/1.1\r\nHost: {_name(target.address)}\r\nConnection: close\r\n"
        line.send(f"{request}Accept: */*\r\nUser-Agent: lightning-apps\r\n\r\n".encode())
        self._selector.modify(line, selectors.EVENT_READ, target)

    def _hear(self, target: _Target, said: bytes) -> None:
        found = STATUS.match(said)
        if not said or (found is not None and int(found[1]) in NOT_YET):
            self._again(target)
            return
        answer = Answer(target.paths[target.at], int(found[1]) if found else 0)
        self._politely(target)
        if answer.status == 404 and target.at + 1 < len(target.paths):
            target.first = target.first or answer
            target.at, target.due = target.at + 1, 0.0
            return
        del self._targets[target.key]
        target.told(target.first if answer.status == 404 and target.first is not None else answer)

    def _politely(self, target: _Target) -> None:
        """Read what is left of the answer before hanging up; the target itself is free to go on."""
        line, target.line = target.line, None
        if line is None:
            return
        self._number += 1
        rest = _Target(f"{target.key} {self._number}", "", (), target.told, line=line, answered=True)
        rest.due = time.monotonic() + GOODBYE
        self._targets[rest.key] = rest
        self._selector.modify(line, selectors.EVENT_READ, rest)

    def _again(self, target: _Target) -> None:
        self._hang_up(target)
        target.at, target.first = 0, None
        target.due = time.monotonic() + target.pause
        target.pause = min(target.pause * 2, self._longest)


def _family(address: str) -> socket.AddressFamily:
    if address.startswith("unix:"):
        return socket.AF_UNIX
    return socket.AF_INET6 if address.count(":") > 1 else socket.AF_INET


def _place(address: str) -> str | tuple[str, int]:
    if address.startswith("unix:"):
        return address[5:]
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _name(address: str) -> str:
    return "localhost" if address.startswith("unix:") else address
