#!/usr/bin/env python3
"""Times reading the state over HTTP and WebSocket, and what that does to the flow.

usage: benchmarks/web.py [--ours BIN] [--peer BIN] [--seconds 5] [--connections 32] [--rate 3000] [--streams 2000]
BIN is a virtual environment's bin folder.  The app holds 100 KB of state; a work changes one number 100 times a second, and the flow
notes how long each change took to reach it.  The load comes from another process, over connections that stay open.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import multiprocessing
import os
import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

APP = """
import importlib, json, os, time
L = importlib.import_module(os.environ["FRAMEWORK"])

class Tick(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.at = 0.0

    def run(self):
        while True:
            time.sleep(float(os.environ["PAUSE"]))
            self.at = time.monotonic()

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.tick = Tick()
        for n in range(20):
            setattr(self, f"part_{n}", [f"{i:05d}" * 2 for i in range(385)])
        self._seen, self._times, self._told = 0.0, [], time.monotonic()

    def run(self):
        self.tick.run()
        now, at = time.monotonic(), self.tick.at
        if at and at != self._seen:
            self._seen = at
            self._times.append((now, now - at))
        if now - self._told > 0.25:
            self._told = now
            with open(os.environ["BENCH_OUT"], "a") as file:
                file.write("".join(json.dumps(each) + chr(10) for each in self._times))
            self._times = []

app = L.LightningApp(Root())
"""
HEADERS = "X-Lightning-Session-UUID: bench\r\nX-Lightning-Session-ID: bench\r\n"


def quantile(values: list, q: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def ms(values: list) -> dict:
    return {
        "p50": round(1000 * quantile(values, 0.5), 3),
        "p99": round(1000 * quantile(values, 0.99), 3),
        "count": len(values),
    }


class App:
    """One app that runs and is served."""

    def __init__(self, bin_dir: str, framework: str, folder: str, pause: float = 0.01) -> None:
        self.out = os.path.join(folder, "times")
        Path(self.out).touch()
        path = os.path.join(folder, "app.py")
        Path(path).write_text(APP)
        environ = {
            **os.environ,
            "FRAMEWORK": framework,
            "BENCH_OUT": self.out,
            "PAUSE": str(pause),
            "LIGHTING_TESTING": "1",
        }
        command = os.path.join(bin_dir, "lightning" if framework == "lightning" else "lightning_app")
        self.log = os.path.join(folder, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [command, "run", "app", path, "--open-ui", "false"],
                stdout=log,
                stderr=log,
                env=environ,
                cwd=folder,
                start_new_session=True,
            )
        found = self._until(lambda: re.search(r"http://127.0.0.1:(\d+)", Path(self.log).read_text()))
        self.port = int(found[1])
        self._until(lambda: len(Path(self.out).read_text()) > 200)

    def _until(self, condition):
        deadline = time.monotonic() + 60
        while not (value := condition()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(Path(self.log).read_text()[-2000:])
            time.sleep(0.02)
        return value

    def flow(self, since: float) -> list:
        """How long changes took to reach the flow since then, in seconds."""
        time.sleep(0.6)
        lines = [json.loads(line) for line in Path(self.out).read_text().splitlines()]
        return [took for at, took in lines if at >= since]

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


class Caller:
    """One connection that asks again and again."""

    request = f"GET /api/v1/state HTTP/1.1\r\nHost: 127.0.0.1\r\n{HEADERS}\r\n".encode()

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.got, self.length = bytearray(1 << 20), 0, 0
        self.began = 0.0

    def ask(self) -> None:
        self.began, self.got, self.length = time.monotonic(), 0, 0
        self.sock.sendall(self.request)

    def hear(self) -> bool:
        """Whether the answer is complete."""
        count = self.sock.recv_into(memoryview(self.buffer)[self.got :])
        if not count:
            raise SystemExit("the server hung up")
        self.got += count
        if not self.length:
            at = self.buffer.find(b"\r\n\r\n", 0, self.got)
            if at < 0:
                return False
            head = bytes(self.buffer[:at]).lower()
            assert head.startswith(b"http/1.1 200"), head
            self.length = at + 4 + int(re.search(rb"content-length: (\d+)", head)[1])
        return self.got >= self.length


def load(port: int, connections: int, seconds: float, rate: float = 0.0) -> dict:
    """Answers a second and how long each took; with a `rate`, evenly spaced requests, timed from when they were due."""
    selector, callers = selectors.DefaultSelector(), [Caller(port) for _ in range(connections)]
    for caller in callers:
        selector.register(caller.sock, selectors.EVENT_READ, caller)
    idle, times, began = list(callers), [], time.monotonic()
    due, end = began, began + seconds
    while (now := time.monotonic()) < end:
        while idle and (not rate or due <= now):
            caller = idle.pop()
            caller.ask()
            if rate:
                caller.began, due = due, due + 1 / rate
        wait = min(end - now, max(0.0, due - now)) if rate and idle else end - now
        for key, _ in selector.select(wait):
            if key.data.hear():
                times.append(time.monotonic() - key.data.began)
                idle.append(key.data)
    for caller in callers:
        caller.sock.close()
    return {"per_second": round(len(times) / (time.monotonic() - began)), **ms(times)}


def upgrade(path: str) -> bytes:
    """The request that opens a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


async def watch(port: int, path: str, seconds: float) -> list:
    """When a WebSocket said that something had changed, and what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(upgrade(path))
    await reader.readuntil(b"\r\n\r\n")
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        head = await reader.readexactly(2)
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
        found.append((await reader.readexactly(size), time.monotonic()))
    writer.close()
    return found


def of_stream(port: int, seconds: float) -> list:
    """How long changes of the work took to be on the stream."""
    took = []
    for text, at in asyncio.run(watch(port, "/api/v1/stream", seconds)):
        told = json.loads(text)
        for change in told.get("changes", ()):
            if change.get("path") == ["at"] and change["component"] == "root.tick":
                took.append(at - change["value"])
    return took


def read_on(port: int, count: int, told) -> None:
    """Open so many streams and read whatever comes, without a look at it; the body of a process of its own."""
    selector, buffer = selectors.DefaultSelector(), bytearray(1 << 20)
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(upgrade("/api/v1/stream"))
        sock.recv_into(buffer)
        selector.register(sock, selectors.EVENT_READ, sock)
    told.send(count)
    while True:
        for key, _ in selector.select():
            if not key.data.recv_into(buffer):
                raise SystemExit("the server hung up on a stream")


@contextlib.contextmanager
def crowd(port: int, count: int):
    """So many streams are open meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    here, there = multiprocessing.Pipe()
    reader = multiprocessing.Process(target=read_on, args=(port, count, there), daemon=True)
    reader.start()
    there.close()
    assert here.recv() == count
    try:
        yield
        assert reader.is_alive(), "the streams were cut"
    finally:
        reader.kill()
        reader.join()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def of_counter(port: int, app: App, seconds: float) -> list:
    """How long changes of the work took to ring the older counter; the writer is slow, so each ring is of the change before it."""
    began = time.monotonic()
    rings = [at for _, at in asyncio.run(watch(port, "/api/v1/ws", seconds))]
    time.sleep(0.6)
    lines = [json.loads(line) for line in Path(app.out).read_text().splitlines()]
    changes = [at - took for at, took in lines if at >= began]
    return [min(after) - change for change in changes if (after := [ring for ring in rings if ring >= change])]


def measure(bin_dir: str, framework: str, arguments: argparse.Namespace) -> dict:
    ours, figures = framework == "lightning", {}
    with tempfile.TemporaryDirectory() as folder:
        app = App(bin_dir, framework, folder)
        try:
            load(app.port, 1, 1.0)
            began = time.monotonic()
            time.sleep(arguments.seconds)
            figures["flow alone"] = ms(app.flow(began))
            figures["state, as fast as it goes"] = load(app.port, arguments.connections, arguments.seconds)
            began = time.monotonic()
            figures["state, paced"] = load(app.port, arguments.connections, arguments.seconds, arguments.rate)
            figures["flow beside the paced"] = ms(app.flow(began))
            if ours:
                figures["a change on the stream"] = ms(of_stream(app.port, arguments.seconds))
                with crowd(app.port, arguments.streams):
                    began = time.monotonic()
                    figures[f"a change on one of {arguments.streams} streams"] = ms(
                        of_stream(app.port, arguments.seconds)
                    )
                    figures[f"flow beside {arguments.streams} streams"] = ms(app.flow(began))
        finally:
            app.end()
    with tempfile.TemporaryDirectory() as folder:
        app = App(bin_dir, framework, folder, pause=0.5)
        try:
            figures["a change on the older counter"] = ms(of_counter(app.port, app, max(10.0, arguments.seconds)))
        finally:
            app.end()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default=".venv/bin")
    parser.add_argument("--peer")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=3000.0)
    parser.add_argument("--repeat", type=int, default=1)
    arguments = parser.parse_args()
    sides = [(os.path.abspath(arguments.ours), "lightning")]
    if arguments.peer:
        sides.append((os.path.abspath(arguments.peer), "lightning_app"))
    for turn in range(arguments.repeat):
        for bin_dir, framework in sides:
            for name, figure in measure(bin_dir, framework, arguments).items():
                print(json.dumps({"side": framework, "run": turn, "case": name, **figure}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
