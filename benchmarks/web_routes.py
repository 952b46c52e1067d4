#!/usr/bin/env python3
"""Times an app's own routes and commands, and AppState, on a real server: one caller on one connection, one after another.

usage: benchmarks/web_routes.py [--ours BIN] [--peer BIN] [--count 2000]
BIN is a virtual environment's bin folder.  The older framework takes up to 0.15 s for one answer, so it is asked less often.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

APP = """
import importlib, os
L = importlib.import_module(os.environ["FRAMEWORK"])
from pydantic import BaseModel
Post = importlib.import_module(os.environ["FRAMEWORK"] + ("" if os.environ["FRAMEWORK"] == "lightning_app" else ".app") + ".api").Post

class Item(BaseModel):
    name: str
    price: float = 1.0

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.count, self.seen = 0, 0

    def run(self):
        self.seen = self.count

    def add(self, item: Item):
        self.count += 1
        return {"name": item.name, "count": self.count}

    def configure_api(self):
        return [Post("/add", self.add)]

    def configure_commands(self):
        return [{"add": self.add}]

app = L.LightningApp(Root())
"""
CLIENT = """
import json, sys, time
from lightning.app.utilities.state import AppState
state = AppState(sys.argv[1])
state.count
count, times = int(sys.argv[2]), {"assign": [], "read": []}
for n in range(count):
    began = time.perf_counter()
    state.count = n
    times["assign"].append(time.perf_counter() - began)
    began = time.perf_counter()
    assert state.count == n
    times["read"].append(time.perf_counter() - began)
print(json.dumps(times))
"""


@contextlib.contextmanager
def served(bin_dir, framework, folder):
    """The app in a process of its own; the port it is served at."""
    path = Path(folder) / "app.py"
    path.write_text(APP)
    command = [os.path.join(bin_dir, "lightning_app"), "run", "app", str(path), "--open-ui", "false"]
    command += ["--port", "0"] if framework == "lightning" else []
    env = {**os.environ, "FRAMEWORK": framework, "LIGHTNING_HOME": folder, "LIGHTING_TESTING": "1"}
    with open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                found = re.search(r"browser: http://127.0.0.1:(\d+)", Path(folder, "log").read_text())
                port = int(found[1]) if found else 1
                if post(http.client.HTTPConnection("127.0.0.1", port, timeout=10), "/add") == 200:
                    break
            except OSError:
                pass
            assert time.monotonic() < deadline, Path(folder, "log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what the older framework leaves


def post(connection, path):
    connection.request("POST", path, b'{"name": "x", "price": 2}', {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def timed(port, path, count):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(min(50, count // 4)):
        post(connection, path)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        status = post(connection, path)
        times.append(time.perf_counter() - began)
        assert status == 200, status
    return times


def say(what, framework, times):
    times = sorted(times)
    p50, p99 = (1000 * times[int(q * (len(times) - 1))] for q in (0.5, 0.99))
    print(json.dumps({"case": what, "framework": framework, "p50_ms": round(p50, 3), "p99_ms": round(p99, 3)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default=os.path.dirname(sys.executable))
    parser.add_argument("--peer")
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    sides = [("lightning", os.path.abspath(options.ours), options.count)]
    if options.peer:
        sides.append(("lightning_app", os.path.abspath(options.peer), max(10, options.count // 50)))
    for framework, bin_dir, count in sides:
        with tempfile.TemporaryDirectory() as folder, served(bin_dir, framework, folder) as port:
            say("POST of a user's route", framework, timed(port, "/add", count))
            say("POST of a command", framework, timed(port, "/command/add", count))
            if framework == "lightning":
                python = os.path.join(bin_dir, "python")
                words = [python, "-c", CLIENT, f"http://127.0.0.1:{port}", str(count)]
                done = subprocess.run(words, capture_output=True, text=True, check=True)
                for name, times in json.loads(done.stdout).items():
                    say(f"AppState: {name}", framework, times)


if __name__ == "__main__":
    main()
