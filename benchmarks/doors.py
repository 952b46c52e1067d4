#!/usr/bin/env python3
"""What the front door costs: the same servers asked directly and through it, in one run.

usage: benchmarks/doors.py [--seconds 3] [--nginx PATH]
With --nginx a server of nginx with one worker stands beside our door, before the same servers: what a proxy written in C reaches here.
"""

from __future__ import annotations

import argparse
import contextlib
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
from collections.abc import Callable, Iterator
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

NGINX = """
{user}
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/err;
events {{ worker_connections 500; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream work {{ server 127.0.0.1:{work}; keepalive 8; keepalive_requests 100000000; }}
  upstream frontend {{ server unix:{frontend}; keepalive 8; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port}; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_buffers 8 256k; proxy_buffer_size 64k; proxy_busy_buffers_size 512k; proxy_max_temp_file_size 0;
    location /w/root.serve/ {{ proxy_pass http://work/; }}
    location /f/root/ {{ proxy_pass http://frontend; }}
  }}
}}
"""
ROUNDS = 5

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


Ways = dict[str, tuple[Dial, str]]  # the first is what the others are compared with


def compare(name: str, ways: Ways, seconds: float) -> None:
    """Small answers one at a time, then a megabyte by one and by four connections; all ways in turn, five times."""
    small = in_turn(ways, "small", seconds, 1, lambda rate, times: statistics.median(times) * 1e3)
    first = next(iter(small.values()))
    told = [f"{way} {took:.3f} ms ({took - first:+.3f})" for way, took in small.items()]
    print(f"{name}: 100 bytes, p50: {', '.join(told)}", flush=True)
    for connections in (1, 4):
        rates = in_turn(ways, "megabyte", seconds, connections, lambda rate, times: rate)
        first = next(iter(rates.values()))
        told = [f"{way} {rate:.0f}/s ({rate / first:.0%})" for way, rate in rates.items()]
        print(f"{name}: 1 MiB, {connections} connections: {', '.join(told)}", flush=True)


def in_turn(
    ways: Ways, what: str, seconds: float, connections: int, of: Callable[[float, list[float]], float]
) -> dict[str, float]:
    """The median of each way, in five rounds."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, (dial, path) in ways.items():
            found[way].append(of(*measured(dial, f"{path}/{what}", seconds / ROUNDS, connections)))
    return {way: statistics.median(values) for way, values in found.items()}


@contextlib.contextmanager
def nginx(binary: str, folder: Path, work: int, frontend: str) -> Iterator[int]:
    """nginx with one worker before both servers; its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "nginx").mkdir()
    config = folder / "nginx" / "conf"
    user = "" if os.geteuid() else "user root;"  # else it would not get at the socket
    config.write_text(NGINX.format(user=user, folder=folder / "nginx", port=port, work=work, frontend=frontend))
    process = subprocess.Popen([binary, "-e", str(folder / "nginx" / "err"), "-c", str(config)])
    try:
        wait_for(port, "/w/root.serve/small")
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int, path: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        with contextlib.suppress(ConnectionRefusedError):
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"{path} does not answer")


def main() -> None:
    """Run the app, compare, end it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each figure")
    parser.add_argument("--nginx", help="the program")
    arguments = parser.parse_args()
    seconds = arguments.seconds
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
            works: Ways = {"direct": (tcp(inner), ""), "door": (tcp(port), "/w/root.serve")}
            pages: Ways = {
                "the same server directly by TCP": (tcp(inner), ""),
                "door": (tcp(port), "/f/root"),
                "by its Unix socket": (unix(path), "/f/root"),
            }
            with contextlib.ExitStack() as stack:
                if arguments.nginx:
                    beside = stack.enter_context(nginx(arguments.nginx, Path(folder), inner, path))
                    works["nginx"], pages["nginx"] = (tcp(beside), "/w/root.serve"), (tcp(beside), "/f/root")
                compare("work (TCP)", works, seconds)
                compare("frontend (Unix socket)", pages, seconds)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
