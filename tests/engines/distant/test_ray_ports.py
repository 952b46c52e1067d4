"""What a work serves on another machine is reached on the app's own port: on a real Ray cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import CommandLine, eventually
from engines.distant.ray_cluster import RayCluster

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

APP = """
import http.server, os, urllib.request
import lightning as L
from lightning.app.utilities.state import AppState

class Serve(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True, cloud_compute=L.CloudCompute(cpus=1))

    def run(self):
        state = AppState(my_affiliation=())
        state.greeting = f"{state.greeting} from {os.environ['MACHINE']}"
        try:
            urllib.request.urlopen(os.environ["LIGHTNING_APP_STATE_URL"] + "/api/v1/state")
        except urllib.error.HTTPError as error:
            state.stranger = error.code

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = f"{self.path} on {os.environ['MACHINE']}".encode()
                self.send_response(200)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *words):
                pass

        server = http.server.ThreadingHTTPServer((self.host, self.port), Handler)
        server.serve_forever()

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.serve, self.said = Serve(), ""
        self.greeting, self.stranger = "hello", 0

    def run(self):
        self.serve.run()
        if self.serve.url and not self.said:
            with urllib.request.urlopen(self.serve.url + "/from/the/flow") as answer:
                self.said = answer.read().decode()
            print(self.greeting, self.stranger)
            print("heard", self.said)

app = L.LightningApp(Root())
"""


def test_a_server_on_another_machine_is_seen_by_flows_and_behind_the_apps_own_port_and_works_there_see_the_app(
    cluster: RayCluster, command_line: CommandLine
) -> None:
    process = cluster.run(command_line, command_line.app(APP))
    eventually(lambda: "heard" in process.stdout, 60.0, what=process.report)

    (served,) = command_line.folder.glob("home/.lightning-runs/*/web.json")
    about = json.loads(served.read_text())
    there = get(cluster, f"{about['url']}/w/root.serve/a/page?b=c", about["token"], command_line.folder)

    path, _, machine = there.partition(" on ")
    assert path == "/a/page?b=c"
    assert machine in {each.name for each in cluster.lab.machines[1:]}
    assert f"hello from {machine} 401\n" in process.stdout  # AppState there; a token is asked for
    assert f"heard /from/the/flow on {machine}" in process.stdout


def get(cluster: RayCluster, url: str, token: str, folder: Path) -> str:
    """What machine 0 sees at this URL."""
    code = (
        "import sys, urllib.request\n"
        "request = urllib.request.Request(sys.argv[1], headers={'authorization': 'Bearer ' + sys.argv[2]})\n"
        "print(urllib.request.urlopen(request, timeout=10).read().decode(), end='')"
    )
    command = [*cluster.lab[0].entering(folder), sys.executable, "-c", code, url, token]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
