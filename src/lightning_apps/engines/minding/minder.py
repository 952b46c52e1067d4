"""`python -m lightning_apps.engines.minding.minder`: stands beside one worker on another machine, attests its life and ends it.

It is a process of its own, so nothing that user code does (holding the interpreter's lock, stopping itself, using up memory) keeps it from
renewing the lease or from ending the worker when the lease is over.  The worker dies with it (PR_SET_PDEATHSIG), and it ends
everything when its launcher goes away (end of file on its standard input).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from ... import __version__
from ...base.errors import LightningError, ProtocolError
from ...base.fingerprint import calling, check
from ...base.settings import environ
from ...ports import Placement
from .. import framing, process_tree
from . import surroundings, tidying, words
from .lease import Lease, pause
from .output import Spool
from .tunnel import Streams, carry
from .way_to_app import WayToApp

PR_SET_PDEATHSIG = 1
REDIAL, REDIAL_SLOWEST = 0.05, 1.0  # seconds between tries to reach the desk
QUICKLY = 0.5  # seconds between SIGTERM and SIGKILL for what a worker left behind
LOOK = 0.03
DIAL = 5.0  # seconds for a connection
FAREWELL = 2.0  # seconds in which somebody may still listen to the last word
CHUNK = 1 << 16


class Assignment(msgspec.Struct, frozen=True):
    """What a launcher hands to a minder, on its standard input, as one frame.

    Attributes:
        place, token: which placement it is to mind.
        desk: "host:port#fingerprint" of the desk.
        node: what the launcher calls this machine.
        mark: the variable that the worker, and all it executes, carries.
        orphan_limit: seconds after which a worker is ended whose app is not heard of, in seconds.
        lifeline: whether standard input ends with the launcher.
        entry: arguments for the interpreter that make it a worker.
    """

    place: str
    token: str
    desk: str
    node: str
    mark: str
    orphan_limit: float
    entry: tuple[str, ...]
    lifeline: bool = True


def encode_assignment(assignment: Assignment) -> bytes:
    """As a launcher passes it on."""
    return msgspec.msgpack.encode(assignment)


class Started(msgspec.Struct, frozen=True):
    """A minder that was started here; it ends when `lifeline` does."""

    lifeline: Any
    output: Any

    def wait(self) -> None:
        """Return when it has ended."""
        while self.output.read(CHUNK):
            """It says nothing there."""


def start_minder(assignment: Assignment) -> Started:
    """Start a minder on this machine that is nobody's child: what ends its starter's children shall not end it before its worker."""
    process = subprocess.Popen(
        [sys.executable, "-m", __spec__.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(framing.frame(encode_assignment(assignment)))
    process.stdin.flush()
    process.wait()  # it has forked
    return Started(process.stdin, process.stdout)


def now() -> float:
    """Seconds on a clock that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Minder:
    """One worker's minder."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self._lease = Lease(None)
        self._begin: words.Begin | None = None
        self._out, self._err = Spool("out"), Spool("err")
        self._pid, self._began, self._files = 0, "", ""
        self._ended: words.Ended | None = None
        self._held: list[int] = []  # locks on what the worker uses of this machine's store
        self._lost = self._leaving = self._asked = False
        self._writer: asyncio.StreamWriter | None = None
        self._heard = now()  # when the desk was heard last
        self._over = asyncio.Event()  # nothing is left to do here
        self._gone = asyncio.Event()  # the worker and all it started
        self._parcel: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()  # there is something to send
        self._way = WayToApp(assignment.place, assignment.token, lambda: dial(assignment.desk))

    async def run(self) -> int:
        """Until the worker has ended and the desk knows, or nobody wants it; the exit code."""
        self._spawn(self._converse())
        self._spawn(self._watch_lease())
        if self.assignment.lifeline:
            asyncio.get_running_loop().add_reader(0, self._lifeline)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self.end, 0.0 if number == signal.SIGHUP else None)
        await self._over.wait()
        await self._end_all(0.0)
        return 0

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            sys.stderr.write(f"minder of {self.assignment.place}: {type(error).__name__}: {error}\n")
            self._over.set()

    def _lifeline(self) -> None:
        """Whoever started us is gone: so is everything here."""
        with contextlib.suppress(OSError):
            if os.read(0, CHUNK):
                return
        asyncio.get_running_loop().remove_reader(0)
        self._spawn(self._leave_without_launcher())

    async def _leave_without_launcher(self) -> None:
        self._lost = not self._leaving
        await self._end_all(0.0)
        await self._say_farewell()

    async def _say_farewell(self) -> None:
        """The end is worth telling, if somebody listens."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._over.wait(), FAREWELL)
        self._over.set()

    # -- the lease ------------------------------------------------------------------------------------------------

    async def _watch_lease(self) -> None:
        while not self._over.is_set():
            moment = now()
            if self._lease.over(moment):
                self._lost = True
                await self._end_all(0.0)
                await self._say_farewell()
            elif self._lease.asked_to_end(moment) and self._pid and not self._asked:
                self._lost = self._asked = True
                process_tree.send_signal(self._pid, signal.SIGTERM)
            elif moment - self._heard > self.assignment.orphan_limit:
                await self._end_all(self._begin.grace if self._begin else 0.0)
                self._over.set()
            if self._writer is not None and self._begin is not None:
                self._tell(words.Beat(self._lease.beat(now())))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._over.wait(), pause(self._lease.patience))

    # -- the conversation -----------------------------------------------------------------------------------------

    async def _converse(self) -> None:
        wait = REDIAL
        while not self._over.is_set():
            asked = now()
            try:
                reader, writer = await asyncio.wait_for(dial(self.assignment.desk), DIAL)
            except (OSError, ProtocolError, asyncio.TimeoutError):
                await asyncio.sleep(wait)
                wait = min(wait * 1.5, REDIAL_SLOWEST)
                continue
            wait = REDIAL
            await self._talk(reader, writer, asked)
            self._writer = None
            self._lease.lost()
            writer.close()
            await asyncio.sleep(REDIAL)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: float) -> None:
        writer.write(words.frame(self._here()))
        sender: asyncio.Task[None] | None = None
        try:
            while True:
                wait = max(2.0, 4 * pause(self._lease.patience))
                message = words.to_minder(
                    await asyncio.wait_for(framing.read(reader, words.LIMIT), wait if sender else DIAL)
                )
                self._heard = now()
                if sender is None and isinstance(message, (words.Begin, words.GoOn)):
                    self._writer = writer
                    sender = asyncio.get_running_loop().create_task(self._send_output(writer))
                    self._lease.patience = (
                        message.patience if isinstance(message, words.Begin) else self._lease.patience
                    )
                    self._lease.begin(asked)
                self._hear(message)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError):
            """Cut off, or the host has gone: dial again."""
        finally:
            if sender is not None:
                sender.cancel()

    def _here(self) -> words.Here:
        mine = self.assignment
        python = platform.python_version().rpartition(".")[0]
        return words.Here(
            mine.place, mine.token, mine.node, socket.gethostname(), __version__, python, self._pid, self._began,
            self._ended,
        )  # fmt: skip

    def _hear(self, message: words.ToMinder) -> None:
        if isinstance(message, words.Beaten):
            self._lease.answered(message.number)
            self._acknowledged(message.out, message.err)
        elif isinstance(message, words.Begin):
            self._spawn(self._start(message))
        elif isinstance(message, words.GoOn):
            self._out.reconnected(message.out)
            self._err.reconnected(message.err)
            self._changed.set()
        elif isinstance(message, words.End):
            self.end(message.grace)
        elif isinstance(message, words.Part):
            self._parcel.put_nowait(message.data)
        elif isinstance(message, words.OpenTunnel):
            self._spawn(self._tunnel(message))
        elif isinstance(message, words.Away):
            self._over.set()

    def _acknowledged(self, out: int, err: int) -> None:
        self._out.acknowledged(out)
        self._err.acknowledged(err)

    def _tell(self, message: words.FromMinder) -> None:
        if self._writer is not None:
            self._writer.write(words.frame(message))

    async def _send_output(self, writer: asyncio.StreamWriter) -> None:
        """Output, and behind it how the worker ended; no faster than the desk takes it."""
        told = False
        while True:
            self._changed.clear()
            for spool in (self._out, self._err):
                for piece in spool.to_send():
                    writer.write(words.frame(piece))
                    await writer.drain()
            if self._ended is not None and not told:
                told = True
                writer.write(words.frame(self._ended))
            await self._changed.wait()

    # -- the worker -----------------------------------------------------------------------------------------------

    async def _start(self, begin: words.Begin) -> None:
        if self._begin is not None:
            return
        self._begin = begin
        try:
            self._held += await asyncio.get_running_loop().run_in_executor(None, self._hold, begin)
            folder = await self._fetch(begin.parcel) if begin.parcel else ""
            python = (
                sys.executable
                if not begin.requirements
                else await asyncio.get_running_loop().run_in_executor(
                    None, surroundings.interpreter, begin.requirements
                )
            )
            order = await self._way.told(begin.order)
            if not self._leaving:
                self._execute(msgspec.structs.replace(begin, order=order), folder, python)
                return
        except (OSError, LightningError) as error:
            self._tell(words.Failed(str(error)))
        self._ended = words.Ended(None, signal.SIGTERM)
        self._changed.set()

    def _hold(self, begin: words.Begin) -> list[int]:
        """Nobody removes what the worker needs, and others may share, from here on to the end of this process."""
        app = surroundings.folder_of(begin.parcel) if begin.parcel else ""
        files = surroundings.files_of(self.assignment.mark) if begin.order.exchange else ""
        return [tidying.use(each) for each in (app, surroundings.environment_of(begin.requirements), files) if each]

    async def _fetch(self, digest: str) -> str:
        folder = surroundings.folder_of(digest)
        if not os.path.isdir(folder):
            self._tell(words.Want(digest))
            with tempfile.NamedTemporaryFile(dir=surroundings.store(), suffix=".zip") as file:
                while data := await self._parcel.get():
                    file.write(data)
                file.flush()
                surroundings.keep_parcel(digest, file.name)
        return folder

    def _execute(self, begin: words.Begin, folder: str, python: str) -> None:
        order = begin.order
        if folder:
            order = in_folder(order, folder)
        if order.exchange:
            self._files = surroundings.files_of(self.assignment.mark)
            os.makedirs(self._files, mode=0o700, exist_ok=True)
            order = msgspec.structs.replace(order, files=self._files)
        content = msgspec.msgpack.encode(order)
        outs = [os.pipe(), os.pipe()]
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            process = subprocess.Popen(
                [python, *self.assignment.entry],
                stdin=file,
                stdout=outs[0][1],
                stderr=outs[1][1],
                env={**environ(), **order.env, process_tree.PLACE_MARK: self.assignment.mark},
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),  # noqa: PLW1509 - other threads are idle by now
            )
        for _, theirs in outs:
            os.close(theirs)
        self._pid = process.pid
        found = process_tree.look(process.pid)
        self._began = found.started if found is not None else ""
        self._tell(words.Running(self._pid, self._began))
        if self._held:
            self._spawn(asyncio.to_thread(_tidy))
        reading = [self._read(ours, spool) for (ours, _), spool in zip(outs, (self._out, self._err), strict=True)]
        self._spawn(self._see_it_end(process, asyncio.gather(*reading)))

    async def _read(self, descriptor: int, spool: Spool) -> None:
        """Until nobody holds the other end."""
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        os.set_blocking(descriptor, False)
        loop.add_reader(descriptor, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                try:
                    data = os.read(descriptor, CHUNK)
                except BlockingIOError:
                    continue
                if not data:
                    return
                spool.wrote(data)
                self._changed.set()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def _see_it_end(self, process: subprocess.Popen[bytes], output: asyncio.Future[Any]) -> None:
        while process.poll() is None:
            await until_readable(process_tree.open_pidfd(process.pid))
        await self._sweep()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(output, QUICKLY)
        code = process.returncode
        if self._files:
            await asyncio.get_running_loop().run_in_executor(None, surroundings.remove, self._files)
        if self._held:
            self._spawn(asyncio.to_thread(_tidy))
        self._gone.set()
        self._ended = words.Ended(code if code >= 0 else None, -code if code < 0 else None, self._lost)
        self._changed.set()

    async def _sweep(self) -> None:
        """What the worker started and left behind, in sessions of its own as well: its orphans are our children."""
        begun = now()
        while left := _living(process_tree.descendants([os.getpid()])):
            number = signal.SIGTERM if now() - begun < QUICKLY else signal.SIGKILL
            for pid in left:
                process_tree.send_signal(pid, number)
            await asyncio.sleep(LOOK)
            _reap()
            if now() - begun > 10.0:
                return  # it waits for a disk, for instance

    def end(self, grace: float | None = None) -> None:
        """SIGTERM, SIGKILL after `grace` seconds."""
        self._spawn(self._end_all(grace if grace is not None else self._begin.grace if self._begin else 0.0))

    async def _end_all(self, grace: float) -> None:
        self._leaving = True
        if not self._pid:
            if self._begin is None:
                self._over.set()
            return
        if self._gone.is_set():
            return
        if grace > 0:
            process_tree.send_signal(self._pid, signal.SIGTERM)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._gone.wait(), grace)
        if not self._gone.is_set():
            process_tree.send_signal(self._pid, signal.SIGKILL)
            await self._gone.wait()

    # -- tunnels --------------------------------------------------------------------------------------------------

    async def _tunnel(self, wanted: words.OpenTunnel) -> None:
        """One connection of somebody at the host's side to a port of this machine."""
        mine = self.assignment
        try:
            reader, writer = await asyncio.wait_for(dial(mine.desk), DIAL)
            writer.write(words.frame(words.Tunnel(mine.place, mine.token, wanted.number)))
            inner = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", wanted.port), DIAL)
        except (OSError, ProtocolError, asyncio.TimeoutError):
            with contextlib.suppress(UnboundLocalError):
                writer.close()
            return
        await carry((reader, writer), inner)


def _tidy() -> None:
    """What nobody uses goes, and with the files of a worker what it started: its minder and its launcher have died as one."""
    with contextlib.suppress(OSError):  # another time
        removed = tidying.tidy(surroundings.store())
        for pid in process_tree.table() if any(name.startswith("files-") for name in removed) else ():
            mark = process_tree.mark(pid)
            if mark and os.path.basename(surroundings.files_of(mark)) in removed:
                process_tree.send_signal(pid, signal.SIGKILL)


def _living(pids: set[int]) -> set[int]:
    found = (process_tree.look(pid) for pid in pids)
    return {process.pid for process in found if process is not None and not process.zombie}


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            """An orphan of the worker's."""


def in_folder(order: Placement, folder: str) -> Placement:
    """The order with its paths below `folder`, which is a copy of the folder it was given in."""

    def moved(path: str) -> str:
        relative = os.path.relpath(os.path.join(order.cwd, path), order.cwd) if order.cwd and path else ""
        return os.path.join(folder, relative) if relative and not relative.startswith("..") else path

    return msgspec.structs.replace(order, cwd=folder, app_file=moved(order.app_file), out="", err="")


async def until_readable(descriptor: int | None) -> None:
    """Wait for a descriptor, or a moment where there is none."""
    if descriptor is None:
        await asyncio.sleep(LOOK)
        return
    ready, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def die_with_parent(parent: int) -> Callable[[], None]:
    """For a forked child: SIGKILL it when its parent ends, however that happens (Linux)."""
    libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None

    def tie() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    return tie


async def dial(desk: str) -> Streams:
    """A connection to the desk whose certificate is the right one.

    Raises:
        OSError: nobody answers.
        ProtocolError: somebody else does.
    """
    where, _, fingerprint = desk.partition("#")
    host, _, port = where.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=calling())
    try:
        check(writer.get_extra_info("ssl_object"), fingerprint)
    except ProtocolError:
        writer.close()
        raise
    return reader, writer


def main() -> NoReturn:
    """Read the assignment and be its minder."""
    with open(0, "rb", buffering=0, closefd=False) as launcher:
        said = framing.read_from(launcher)
    if said is None:
        sys.exit("The launcher has gone before it said what to mind.")
    assignment = msgspec.msgpack.decode(said, type=Assignment)
    if os.fork():
        os._exit(0)
    process_tree.become_subreaper()
    sys.exit(asyncio.run(Minder(assignment).run()))


if __name__ == "__main__":
    main()
