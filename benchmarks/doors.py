"""What the front door costs: the same servers asked directly and through it, in one run.  `python benchmarks/doors.py [--seconds 3]`"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

APP = """
import socket

import lightning as L
import uvicorn
from lightning.app.frontend import AsgiFrontend

MEGABYTE = bytes(1 << 20)


async def server(scope, receive, send):
    if scope["type"] != "http":
        return
    body = MEGABYTE if scope["path"].endswith("/megabyte") else b"x" * 100
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Serve(L.LightningWork):
    def run(self):
        uvicorn.run(server, host=self.host, port=self.port, log_level="warning", lifespan="off")


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.serve = Serve(parallel=True)

    def run(self):
        self.serve.run()

    def configure_layout(self):
        return AsgiFrontend(server)


app = L.LightningApp(Root())
"""

Dial = Callable[[], socket.socket]


def tcp(port: int) -> Dial:
    def dial() -> socket.socket:
        line = socket.create_connection(("127.0.0.1", port))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    return dial


def unix(path: str) -> Dial:
    def dial() -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        line.connect(path)
        return line

    return dial


def ask_again_and_again(dial: Dial, path: str, until: float, times: list[float]) -> None:
    """One connection, one request after the other; the client does as little as it can."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    buffer = memoryview(bytearray(2 << 20))
    with dial() as line:
        while time.perf_counter() < until:
            began = time.perf_counter()
            line.sendall(request)
            got = line.recv_into(buffer)
            while (end := bytes(buffer[:got]).find(b"\r\n\r\n")) < 0:
                got += line.recv_into(buffer[got:])
            head = bytes(buffer[:end]).lower()
            assert head.startswith(b"http/1.1 200"), head
            wanted = end + 4 + int(re.findall(rb"content-length: (\d+)", head)[0])
            while got < wanted:
                got += line.recv_into(buffer[got:])
            times.append(time.perf_counter() - began)


def measured(dial: Dial, path: str, seconds: float, connections: int) -> tuple[float, list[float]]:
    """Requests a second, and the time of each."""
    ask_again_and_again(dial, path, time.perf_counter() + 0.3, [])
    times: list[float] = []
    began = time.perf_counter()
    threads = [
        threading.Thread(target=ask_again_and_again, args=(dial, path, began + seconds, times))
        for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / (time.perf_counter() - began), sorted(times)


def compare(name: str, direct: tuple[Dial, str], door: tuple[Dial, str], seconds: float) -> None:
    """Small answers one at a time, then a megabyte by one and by four connections; both ways in turn, thrice."""
    small: dict[str, list[float]] = {"direct": [], "door": []}
    for _ in range(3):
        for way, (dial, path) in (("direct", direct), ("door", door)):
            _, times = measured(dial, f"{path}/small", seconds / 3, 1)
            small[way].append(statistics.median(times) * 1e3)
    plain, through = statistics.median(small["direct"]), statistics.median(small["door"])
    print(f"{name}: 100 bytes, p50: direct {plain:.3f} ms, door {through:.3f} ms, added {through - plain:.3f} ms")
    for connections in (1, 4):
        rates: dict[str, list[float]] = {"direct": [], "door": []}
        for _ in range(3):
            for way, (dial, path) in (("direct", direct), ("door", door)):
                rates[way].append(measured(dial, f"{path}/megabyte", seconds / 3, connections)[0])
        fast, slow = statistics.median(rates["direct"]), statistics.median(rates["door"])
        print(f"{name}: 1 MiB, {connections} connections: direct {fast:.0f}/s, door {slow:.0f}/s, {slow / fast:.0%}")


def wait_for(port: int, path: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        if connection.getresponse().status == 200:
            return
        time.sleep(0.1)
    raise SystemExit(f"{path} does not answer")


def main() -> None:
    """Run the app, compare, end it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0, help="of each figure")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(APP)
        errors = Path(folder, "err")
        environ = {**os.environ, "LIGHTNING_HOME": folder, "XDG_RUNTIME_DIR": folder}
        command = [sys.executable, "-m", "lightning_apps", "run", "app", "app.py", "--open-ui", "false", "--port", "0"]
        with errors.open("w") as err:
            process = subprocess.Popen(command, cwd=folder, env=environ, stderr=err, stdout=subprocess.DEVNULL)
        try:
            while not (found := re.search(r":(\d+)/view", errors.read_text())):
                time.sleep(0.05)
            port = int(found[1])
            for path in ("/f/root/small", "/w/root.serve/small"):
                wait_for(port, path)
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/api/v1/doors")
            inner = int(json.loads(connection.getresponse().read())["doors"]["w/root.serve"]["url"].rpartition(":")[2])
            path = next(str(each) for each in Path(folder).rglob("*.pages/*"))
            compare("work (TCP)", (tcp(inner), ""), (tcp(port), "/w/root.serve"), seconds)
            compare("frontend (Unix socket)", (unix(path), "/f/root"), (tcp(port), "/f/root"), seconds)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
