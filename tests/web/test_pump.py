"""Bytes that go from socket to socket inside the kernel."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.web.pump import Pipe, Pipes, Pump, Refused, Unsupported

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has splice")


@pytest.fixture
def pair() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Both ends of TCP connections; the first of each does not block."""
    listening, ends = socket.create_server(("127.0.0.1", 0)), []

    def connected() -> tuple[socket.socket, socket.socket]:
        far = socket.create_connection(listening.getsockname(), timeout=10)
        near, _ = listening.accept()
        near.setblocking(False)
        ends.extend((near, far))
        return near, far

    yield connected
    for end in (listening, *ends):
        end.close()


def received(far: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := far.recv(1 << 20)):
        data += more
    return data


def test_so_many_bytes_are_moved_and_no_more_however_slowly_they_come_and_go(pair: Any) -> None:
    body = os.urandom(6 << 20)
    (source, sender), (target, reader) = pair(), pair()
    pipe = Pipe()

    async def move() -> tuple[int, bytes]:
        pump = Pump(source.fileno(), target.fileno(), len(body), pipe)
        sending = asyncio.create_task(asyncio.to_thread(sender.sendall, body + b"next"))
        moving = asyncio.create_task(pump.run())
        heard = await asyncio.to_thread(received, reader, len(body))
        await asyncio.gather(moving, sending)
        return pump.left, heard

    assert asyncio.run(move()) == (0, body)
    assert source.recv(10) == b"next"
    assert pipe.held == 0


def test_a_source_that_ends_early_ends_it(pair: Any) -> None:
    (source, sender), (target, reader) = pair(), pair()
    sender.sendall(b"half")
    sender.close()

    async def move() -> int:
        pump = Pump(source.fileno(), target.fileno(), 8, Pipe())
        await pump.run()
        return pump.left

    assert asyncio.run(move()) == 4
    assert received(reader, 4) == b"half"


def test_it_can_be_stopped_while_nobody_reads_and_its_pipe_is_not_used_again(pair: Any) -> None:
    (source, sender), (target, _) = pair(), pair()
    pipes = Pipes()
    pipe = pipes.take()
    assert pipe is not None

    async def move() -> None:
        pump = Pump(source.fileno(), target.fileno(), 1 << 30, pipe)
        moving = asyncio.create_task(pump.run())
        sending = asyncio.create_task(asyncio.to_thread(send_all, sender))
        while not (pipe.held and pump._target._waits):
            await asyncio.sleep(0.001)
        pump.stop()
        await moving
        source.close()  # no descriptor of ours holds it
        await sending

    asyncio.run(move())
    pipes.give_back(pipe)
    assert pipes.take() is not pipe


def send_all(sender: socket.socket) -> None:
    with pytest.raises(ConnectionError):
        while True:
            sender.sendall(bytes(1 << 20))


def test_a_target_that_is_gone_refuses(pair: Any) -> None:
    (source, sender), (target, _) = pair(), pair()
    target.shutdown(socket.SHUT_WR)
    sender.sendall(b"x")

    async def move() -> None:
        await Pump(source.fileno(), target.fileno(), 1, Pipe()).run()

    with pytest.raises(Refused):
        asyncio.run(move())


def test_what_the_system_cannot_join_is_said_before_anything_is_moved(pair: Any, tmp_path: Path) -> None:
    target, _ = pair()
    source = os.open(tmp_path, os.O_RDONLY)  # a folder has no bytes

    async def move() -> None:
        await asyncio.wait_for(Pump(source, target.fileno(), 1, Pipe()).run(), 10)

    with pytest.raises(Unsupported):
        asyncio.run(move())
    os.close(source)


def test_only_so_many_pipes_are_in_use_and_a_few_are_kept() -> None:
    pipes = Pipes(most=2, kept=1)
    first, second = pipes.take(), pipes.take()
    assert first and second and pipes.take() is None

    pipes.give_back(first)
    pipes.give_back(second)

    assert not second.close.alive  # type: ignore[union-attr]
    assert pipes.take() is first
