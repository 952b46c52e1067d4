"""A worker's process: dial the host, receive the state, run calls one after the other until told to end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import Any, NoReturn

from ..base import messages as m
from ..base.errors import WorkStopped
from ..base.registry import registry
from ..model.work import LightningWork
from ..ports import Placement
from ..wire import codec
from ..wire.link import Link, dial
from ..wire.pump import Pump
from ..wire.tls import TlsSocket
from .baggage import Baggage, SharedWhenAsked, shelf_for, with_folder
from .packing import twin, unpacked
from .session import Session

HALT = object()  # an engine without signals asks for the end


def main(order: Placement, component: LightningWork | None) -> NoReturn:
    """Be the worker of `order` until told to end; the process ends with exit code 0 then.

    Args:
        component: the work from the tree that this process's own execution of the app file built, if it is there.
    """
    order = with_folder(order)
    if order.files:
        registry.shelf = shelf_for(order)
    registry.shared = shared = SharedWhenAsked(order) if order.exchange else None
    worker = Worker(order, receive(order, component))
    if shared is not None:
        shared.tell = worker.session.files.tell
    try:
        worker.serve()
    except WorkStopped:
        """The stack has unwound; `atexit` is next."""
    finally:
        worker.close()
    sys.exit(0)


def receive(order: Placement, component: LightningWork | None) -> LightningWork:
    """The work: as the host pickled it where it could, else as this process built it."""
    reason = "it was made while the app ran and could not be pickled"
    if order.pickled is not None:
        try:
            return unpacked(order.pickled)
        except Exception as error:
            reason = f"it could not be unpickled: {type(error).__name__}: {error}"
    if component is None:
        sys.exit(f"{order.work} could not be started: {reason}.")
    return component


class Threaded:
    """A worker that lives in a thread of its host's process."""

    def __init__(self, order: Placement, component: LightningWork | None) -> None:
        self.worker = Worker(order, receive(order, component and twin(component)))

    def serve(self) -> None:
        """Until halted; then `on_exit` runs here."""
        try:
            self.worker.serve()
        except WorkStopped:
            self.worker.session.terminate()
        finally:
            self.worker.close()
            self.worker.pump.close()

    def halt(self) -> None:
        self.worker.halt()


def reach(order: Placement) -> socket.socket | TlsSocket:
    """A connection with the host; the one that has placed this may have died since, and the next one is not there yet.

    Raises:
        OSError: there is none within the orphan limit.
    """
    pause, until = REDIAL, time.monotonic() + order.orphan_limit
    while True:
        try:
            return dial(order.address)
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(pause)
        pause = min(pause * 1.5, REDIAL_SLOWEST)


class Worker:
    """Everything of one worker's process: pump, link, session, signals."""

    def __init__(self, order: Placement, work: LightningWork) -> None:
        self.order = order
        work._lit_name = order.work
        self.pump = Pump()
        self.session = Session(work, self._send, self.pump.alarm, files=Baggage(work, order))
        self.link = Link(reach(order), self.pump, self._on_frame, self._on_end)
        self.former: Any = None
        self._pause = REDIAL

    def serve(self) -> None:
        """Handshake, `on_start`, then calls."""
        if threading.current_thread() is threading.main_thread():
            self.former = signal.signal(signal.SIGTERM, self._on_sigterm)
        self._greet()
        while True:
            for item in self.pump.take(None):
                self._handle(item)

    def _greet(self) -> None:
        session, order = self.session, self.order
        hello = m.Hello(order.place, order.token, os.getpid(), session.generation, session.received, session.attempted)
        self.link.send(codec.frame(codec.dump(hello)))

    def _handle(self, item: Any) -> None:
        if isinstance(item, m.Run):
            self.session.run(item)
        elif isinstance(item, m.Welcome):
            self.session.welcome(item)
            self.session.begin()
        elif isinstance(item, m.Rejected):
            raise WorkStopped(item.reason)
        elif item is HALT:
            raise WorkStopped("halted")

    def _send(self, data: bytes) -> None:
        self.link.send(data)
        if self.link.backlog > BACKLOG:
            self._wait_for_host()

    def _wait_for_host(self) -> None:
        """The host reads slower than we write: so be it."""
        self.link.drain(BACKLOG // 2)

    def _on_frame(self, offset: int, payload: bytes) -> None:
        message = codec.load_to_worker(payload)
        if isinstance(message, m.Welcome) and message.again:
            self._welcomed_back(message)
        elif isinstance(message, m.Rejected) and self.session.received:
            self._end_ourselves()
        elif self.session.hear(message):
            self.pump.put(message)

    def _welcomed_back(self, message: m.Welcome) -> None:
        if self.session.welcome_back(message):
            self.pump.alarm("orphan", None, self._end_ourselves)
            self._pause = REDIAL
        else:
            self.link.close()
            self._on_end()

    def _on_end(self) -> None:
        """Host gone: the keeper ends us, or starts another host; without either we end by ourselves."""
        if self.session.online:
            self.pump.alarm("orphan", self.order.orphan_limit, self._end_ourselves)
        self.session.offline()
        self.pump.alarm("redial", self._pause, self._redial)
        self._pause = min(self._pause * 1.5, REDIAL_SLOWEST)

    def _redial(self) -> None:
        try:
            sock = dial(self.order.address, 1.0)
        except OSError:
            self._on_end()
            return
        self.link = Link(sock, self.pump, self._on_frame, self._on_end)
        self._greet()

    def _end_ourselves(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        if self.session.busy_here or self.link.busy_here:
            self.pump.alarm("sigterm", 0.001, lambda: os.kill(os.getpid(), signal.SIGTERM))
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.session.terminate()
        raise WorkStopped("SIGTERM")

    def halt(self) -> None:
        """From another thread: end at the next read or write of state, or at once if nothing runs."""
        self.session.halt()
        self.pump.put(HALT)

    def close(self) -> None:
        """Last words go out."""
        self.session.end()
        self.link.drain(0, 1.0)
        self.link.close()


REDIAL, REDIAL_SLOWEST = 0.02, 0.5  # seconds between tries to reach a host
BACKLOG = 4 << 20  # bytes the host may be behind before assignments wait for it
