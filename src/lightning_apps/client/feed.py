"""Keeps an app's state at hand: over the stream, so that a read costs no request, or by asking where there is no stream.

Knows nothing of what is done with it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from ..base.errors import LightningError
from .address import Address
from .http import Answer, Http, NoAnswer
from .tree import Json, Tree, Unknown

STATE = "/api/v1/state"
STREAM = "/api/v1/stream"
PATIENCE = 10.0  # seconds that a read waits for an app that has just gone, as one whose host is started again
IDLE = 60.0  # seconds
SOON = 0.1  # seconds in which a change usually comes back over the stream
POLL = 0.5  # seconds between questions on behalf of listeners, where there is no stream
FRESH = 0.02  # seconds that an answer counts as the present state, where there is no stream
SLOWEST = 2.0  # seconds between attempts to reach the app again
LARGEST = 1 << 30  # bytes of a message


class Unreachable(LightningError, AttributeError):
    """The app's state cannot be had; an AttributeError, as reads of attributes lead here."""


class Refused(Unreachable):
    """The app answers, and does not let one in.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Feed:
    """One app's state, shared by all that look at the same app from this process.

    Args:
        address: of the app.
        patient: wait for an app that is not there yet, as for one that was there.
        idle: seconds without a read after which the stream is given up.
    """

    _shared: ClassVar[dict[tuple[int, Address], Feed]] = {}
    _sharing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, address: Address, patient: bool = False, idle: float = IDLE) -> None:
        self.address, self.http, self._patient, self._idle = address, Http(address), patient, idle
        self._changed = threading.Condition()
        self._tree: Tree | None = None
        self._version = ""
        self._connected = self._polls = False
        self._trouble: Unreachable | None = None
        self._thread: threading.Thread | None = None
        self._read_at = self._asked_at = 0.0
        self._waiting = 0
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    def of(cls, address: Address, patient: bool = False) -> Feed:
        """The feed of this app in this process; a forked child has one of its own."""
        with cls._sharing:
            return cls._shared.setdefault((os.getpid(), address), cls(address, patient))

    # -- reading -------------------------------------------------------------------------------------------

    def state(self) -> Json:
        """The app's state now, in the shape of `app.state_vars`; nobody changes what is in it.

        Raises:
            Unreachable: the app is not there.
        """
        self._read_at = time.monotonic()
        tree = self._tree
        if self._connected and tree is not None:
            return tree.state
        return self._wait_for_tree().state

    @property
    def version(self) -> str:
        """Which state it is: "GENERATION.TURN"."""
        return self._version

    def _wait_for_tree(self) -> Tree:
        """Whoever was there may be back soon; whoever was not is not waited for."""
        with self._changed:
            self._trouble, patient = None, self._tree is not None or self._patient
            if not self._polls:
                self._start()
                self._waiting += 1
                self._changed.wait_for(lambda: self._connected or self._polls or self._hopeless(patient), PATIENCE)
                self._waiting -= 1
                self._read_at = time.monotonic()
            if self._connected and self._tree is not None:
                return self._tree
            if not self._polls:
                raise self._trouble or unreachable("fetch")
        return self._asked()

    def _hopeless(self, patient: bool) -> bool:
        return isinstance(self._trouble, Refused) or (self._trouble is not None and not patient)

    def wait_until(self, version: str) -> None:
        """Until the state is of this version at least, for whoever has just changed something."""
        self._asked_at = 0.0
        if version and not self._polls and not self._reaches(version, SOON) and self._is_behind():
            self._reaches(version, PATIENCE)

    def _reaches(self, version: str, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._polls or _order(self._version) >= _order(version), timeout)

    def send(self, verb: str, path: str, value: Any, headers: Mapping[str, str]) -> Answer:
        """Ask for something that may be asked for twice, of an app that may be away for a moment.

        Raises:
            NoAnswer: it stays away.
        """
        deadline = time.monotonic() + (PATIENCE if self._tree is not None else 0.0)
        while True:
            try:
                return self.http.ask(verb, path, value, headers)
            except NoAnswer:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def _is_behind(self) -> bool:
        """A turn that changed nothing that is shown leaves the version as it was."""
        with contextlib.suppress(NoAnswer):
            return self.http.ask("GET", STATE, headers={"If-None-Match": f'"{self._version}"'}).status != 304
        return False

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after each change, on another thread; returns what ends that."""
        self.state()
        self._listeners.append(listener)
        self._start()

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return end

    # -- where there is no stream --------------------------------------------------------------------------

    def _asked(self) -> Tree:
        now = time.monotonic()
        if self._tree is None or now - self._asked_at > FRESH:
            self._take_answer({"If-None-Match": f'"{self._version}"'} if self._tree else {})
            self._asked_at = now
        if self._tree is None:
            raise unreachable("fetch")
        return self._tree

    def _take_answer(self, headers: dict[str, str]) -> None:
        try:
            answer = self.http.ask("GET", STATE, headers=headers)
        except NoAnswer:
            raise unreachable("fetch") from None
        if answer.status != 304:
            self._take(*_state_of(answer))

    def _poll(self) -> None:
        """For listeners, who read nothing."""
        while self._listeners:
            with contextlib.suppress(Unreachable):
                self._asked()
            time.sleep(POLL)

    # -- the stream ----------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._follow, name="lightning-state", daemon=True)
            self._thread.start()

    def _follow(self) -> None:
        pause = 0.05
        while not self._is_idle():
            try:
                for message in self._messages():
                    pause = 0.05
                    self._hear(message)
            except Refused as refused:
                self._fail(refused)
                return
            except Unreachable as error:
                self._fail(error)
            except NoStream:
                self._to_polling()
                self._poll()
                return
            self._lost()
            time.sleep(pause)
            pause = min(pause * 2, SLOWEST)

    def _is_idle(self) -> bool:
        return not self._listeners and not self._waiting and time.monotonic() - self._read_at > self._idle

    def _messages(self) -> Iterator[Any]:
        """What the app says, until the connection breaks or nobody reads any more.

        Raises:
            Unreachable: nobody is there.
            Refused: one is not let in.
            NoStream: there is an app, and no way to a stream.
        """
        try:
            from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
            from websockets.sync.client import connect
        except ImportError:
            raise NoStream from None
        url = self.address.websocket + STREAM + (f"?from={self._version}" if self._tree is not None else "")
        proxy: Any = {"proxy": None} if self.address.is_loopback else {}
        options: Any = {"additional_headers": self.address.headers, "compression": None, "max_size": LARGEST, **proxy}
        options["ssl"] = self.address.context()
        try:
            with connect(url, **options) as connection:
                if self._tree is not None and not self._is_behind():  # then it says nothing before something changes
                    self._tell(self._version)
                while not self._is_idle():
                    with contextlib.suppress(TimeoutError):
                        yield msgspec.json.decode(connection.recv(timeout=self._idle))
        except InvalidStatus as error:
            raise _refusal(self.address, error.response.status_code) from None
        except InvalidHandshake:
            raise NoStream from None
        except WebSocketException:
            return
        except OSError:
            raise unreachable("fetch") from None

    def _hear(self, message: Any) -> None:
        try:
            if "state" in message:
                self._take(message["state"], message["version"])
            elif self._tree is not None:
                self._tree.apply(message["changes"])
                self._tell(message["version"])
        except Unknown:
            self._take_answer({})

    def _take(self, state: Json, version: str) -> None:
        if state and (self._tree is None or version != self._version):  # an app that is only beginning has none
            self._tree = Tree(state)
            self._tell(version)

    def _tell(self, version: str) -> None:
        with self._changed:
            self._version, self._trouble = version, None
            self._connected = self._connected or threading.current_thread() is self._thread
            self._changed.notify_all()
        for listener in list(self._listeners):
            listener()

    def _fail(self, trouble: Unreachable) -> None:
        with self._changed:
            self._trouble, self._connected = trouble, False
            self._changed.notify_all()

    def _lost(self) -> None:
        with self._changed:
            self._connected = False
            self._changed.notify_all()

    def _to_polling(self) -> None:
        with self._changed:
            self._polls, self._connected = True, False
            self._changed.notify_all()


class NoStream(LightningError):
    """There is no WebSocket library, or what stands between here and the app lets none through."""


def unreachable(what: str) -> Unreachable:
    """Nobody is there."""
    return Unreachable(f"Failed to connect and {what} the app state. Is the app running?")


def _state_of(answer: Answer) -> tuple[Json, str]:
    if answer.status in (401, 403, 421):
        raise _refused(answer.status, answer.detail)
    if answer.status != 200:
        raise Unreachable(f"The app did not show its state (HTTP {answer.status}): {answer.detail}")
    return answer.json(), answer.headers.get("etag", "").strip('W/"')


def _refusal(address: Address, status: int) -> LightningError:
    """Why a handshake was refused: by the app, or by something in between that knows no WebSockets."""
    try:
        answer = Http(address).ask("GET", STATE)
    except NoAnswer:
        return unreachable("fetch")
    return _refused(answer.status, answer.detail) if answer.status in (401, 403, 421) else NoStream()


def _refused(status: int, detail: Any) -> Refused:
    return Refused(f"The app does not let this program in (HTTP {status}): {detail}", status)


def _order(version: str) -> tuple[int, ...]:
    """Versions only grow."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
