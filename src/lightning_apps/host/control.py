"""Questions to a living host from another terminal: one line each way on a socket, both sides showing that they know the run's secret.

The host sends a number used once; the question carries HMAC-SHA256 (RFC 2104) over it and itself, the answer likewise.  Knows nothing of
what is asked: what is allowed is on a list, and the coordinator does it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import socket
import tempfile
from collections.abc import Callable
from typing import Any

import msgspec

from ..base.errors import LightningError, RunError
from ..base.messages import Asked, Event
from ..base.settings import Settings, runtime_dir
from ..wire.link import dial, listen
from ..wire.pump import Pump
from .run_folder import RunFolder

OF_WORKS = frozenset({"retry", "stop", "start"})
STATUS, ABANDON = "status", "abandon"
LIMIT = 1 << 16  # bytes of a question
CALLERS = 16  # at once
PATIENCE = 10.0  # seconds in which a question has to be put
ADDRESS = "control"  # the file that says where
_encode = msgspec.json.Encoder().encode


class Question(msgspec.Struct):
    """What is asked: a method of a work, or how the host is."""

    method: str
    component: str = ""


class Sealed(msgspec.Struct):
    """A line on the socket: its content as JSON, and who could only have written it."""

    content: str
    seal: str


class Answer(msgspec.Struct):
    """`error` is empty if what was asked is done."""

    error: str = ""
    value: dict[str, Any] = {}


def seal(secret: bytes, nonce: bytes, content: str, side: bytes) -> str:
    """Shows that whoever wrote this knows the secret, in this conversation, on this side."""
    return hmac.new(secret, side + nonce + content.encode(), hashlib.sha256).hexdigest()


class Caller:
    """One connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock, self.number, self.nonce = sock, number, os.urandom(16)
        self.heard = b""
        self.waits = False  # its question was put


class Control:
    """Listens for one host.

    Args:
        pump: polls for it.
        report: is given what is asked, as an event.
        is_work: whether there is a work of this name.
        status: says how the host is; on the pump's polling thread.
        abandon: gives up a work's process that is out of sight, or says why not; there as well.
    """

    def __init__(
        self,
        settings: Settings,
        folder: RunFolder,
        pump: Pump,
        report: Callable[[Event], None],
        is_work: Callable[[str], bool],
        status: Callable[[], dict[str, Any]],
        abandon: Callable[[str], str],
    ) -> None:
        self._pump, self._report, self._is_work, self._status = pump, report, is_work, status
        self._abandon = abandon
        self._secret, self._path = folder.secret(), os.path.join(folder.path, ADDRESS)
        self._server, self.address = listen(_address(settings, folder))
        self._callers: dict[str, Caller] = {}
        self._numbers = 0
        fresh = f"{self._path}.new"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.address)
        os.replace(fresh, self._path)  # whoever looks reads all of it or nothing
        pump.watch(self._server.fileno(), self._accept)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            sock, _ = self._server.accept()
            if len(self._callers) >= CALLERS:
                sock.close()
                return
            self._numbers += 1
            caller = Caller(sock, self._numbers)
            sock.setblocking(False)
            sock.send(caller.nonce.hex().encode() + b"\n")
            self._callers[f"control {caller.number}"] = caller
            self._pump.watch(sock.fileno(), lambda: self._hear(caller))
            self._pump.alarm(f"control {caller.number}", PATIENCE, lambda: self._late(caller))

    def _late(self, caller: Caller) -> None:
        if not caller.waits:
            self._hang_up(caller)

    def _hear(self, caller: Caller) -> None:
        try:
            data = caller.sock.recv(LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        caller.heard += data
        if not data or len(caller.heard) > LIMIT or caller.waits:
            self._hang_up(caller)
        elif b"\n" in caller.heard:
            self._put(caller, caller.heard.partition(b"\n")[0])

    def _put(self, caller: Caller, line: bytes) -> None:
        question = open_sealed(self._secret, caller.nonce, line, b"ask", Question)
        if question is None:
            self._hang_up(caller)
        elif question.method == STATUS:
            self._say(caller, Answer(value=self._status()))
        elif question.method == ABANDON and self._is_work(question.component):
            self._say(caller, Answer(self._abandon(question.component)))
        elif question.method not in OF_WORKS or not self._is_work(question.component):
            what = f"{question.component}.{question.method}"
            self._say(caller, Answer(f"The app has no work for {what}, or it cannot be asked for from outside."))
        else:
            caller.waits = True
            self._report(Asked(f"control {caller.number}", question.component, question.method))

    def answer(self, id: str, error: BaseException | None) -> bool:
        """The answer to what was asked; False if it was not asked here.  From any thread."""
        caller = self._callers.get(id)
        if caller is not None:
            self._say(caller, Answer("" if error is None else f"{error}" or type(error).__name__))
        return caller is not None

    def _say(self, caller: Caller, answer: Answer) -> None:
        content = _encode(answer).decode()
        line = _encode(Sealed(content, seal(self._secret, caller.nonce, content, b"answer")))
        with contextlib.suppress(OSError):
            caller.sock.send(line + b"\n")  # short: it fits the socket's buffer
        self._hang_up(caller)

    def _hang_up(self, caller: Caller) -> None:
        self._callers.pop(f"control {caller.number}", None)
        self._pump.alarm(f"control {caller.number}", None, lambda: None)
        self._pump.forget(caller.sock.fileno())
        caller.sock.close()

    def close(self) -> None:
        """Nobody is listened to any more."""
        self._pump.forget(self._server.fileno())
        for caller in list(self._callers.values()):
            self._hang_up(caller)
        self._server.close()
        paths = [self._path, *([self.address.partition(":")[2]] if self.address.startswith("unix:") else [])]
        for path in paths:
            with contextlib.suppress(OSError):
                os.unlink(path)


def open_sealed(secret: bytes, nonce: bytes, line: bytes, side: bytes, kind: Any) -> Any:
    """What a line says, or None if somebody else wrote it."""
    try:
        sealed = msgspec.json.decode(line, type=Sealed)
        if hmac.compare_digest(seal(secret, nonce, sealed.content, side), sealed.seal):
            return msgspec.json.decode(sealed.content, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, TypeError):
        return None
    return None


def _address(settings: Settings, folder: RunFolder) -> str:
    if settings.link == "tcp":
        return "tcp:127.0.0.1:0"
    name = hashlib.blake2b(os.path.abspath(folder.path).encode(), digest_size=8).hexdigest()
    path = os.path.join(runtime_dir(), f"lightning-{name}-control.sock")
    if len(path.encode()) > 100:
        path = os.path.join(tempfile.gettempdir(), os.path.basename(path))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return f"unix:{path}"


# the other side --------------------------------------------------------------------------------------------------


def ask(folder: RunFolder, question: Question, timeout: float = 30.0) -> dict[str, Any]:
    """Put a question to the host of a run; what it answers.

    Raises:
        RunError: nobody answers, or what was asked could not be done.
    """
    try:
        with open(os.path.join(folder.path, ADDRESS)) as file:
            address = file.read().strip()
        with contextlib.closing(dial(address, timeout)) as sock:
            assert isinstance(sock, socket.socket)  # it is on this machine
            answer = _converse(folder.secret(), sock, question)
    except TimeoutError:
        raise RunError(
            f"The run {folder.id} did not answer within {timeout:g} s: its flow is busy, or was stopped (SIGSTOP)."
        ) from None
    except OSError:
        answer = None
    if answer is None:
        raise RunError(f"The run {folder.id} does not answer: it is starting, ending, or has ended.")
    if answer.error:
        raise RunError(answer.error)
    return dict(answer.value)


def _converse(secret: bytes, sock: socket.socket, question: Question) -> Answer | None:
    with sock.makefile("rb") as lines:
        nonce = bytes.fromhex(lines.readline(LIMIT).decode("ascii", "replace").strip() or "00")
        content = _encode(question).decode()
        sock.sendall(_encode(Sealed(content, seal(secret, nonce, content, b"ask"))) + b"\n")
        answer: Answer | None = open_sealed(secret, nonce, lines.readline(LIMIT), b"answer", Answer)
        return answer


def answers(folder: RunFolder) -> bool:
    """Whether the host of a run is up."""
    try:
        return bool(ask(folder, Question(STATUS), timeout=1.0))
    except LightningError:
        return False
