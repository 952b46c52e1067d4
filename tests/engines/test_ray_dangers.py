"""What can be wrong with a cluster is one sentence: with Ray itself on loopback, and without any."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from conftest import CommandLine
from lightning_apps.engines import ray_launcher

APP = """
import lightning as L

class Work(L.LightningWork):
    def __init__(self, **needs):
        super().__init__(parallel=True, raise_exception=False, cloud_compute=L.CloudCompute(**needs))
    def run(self):
        pass

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.w = Work(NEEDS)
    def run(self):
        self.w.run()
        if self.w.has_failed:
            print(self.w.status.message)
            self.stop()

app = L.LightningApp(Root())
"""


def test_without_ray_the_sentence_names_the_pip_line(tmp_path) -> None:
    code = """
        import importlib.util, sys
        found = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "ray" else found(name, *rest)
        from lightning_apps.cli.entry import main
        sys.argv = ["lightning", "run", "app", "app.py", "--engine", "ray", "--without-server"]
        main()
    """
    (tmp_path / "app.py").write_text(APP.replace("NEEDS", ""))

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert 'pip install "lightning-apps[ray]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_the_token_of_our_own_cluster_is_readable_by_its_owner_only(ray_here: dict[str, str]) -> None:
    assert stat.S_IMODE(os.stat(ray_here["RAY_AUTH_TOKEN_PATH"]).st_mode) == 0o600


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_sentence(command_line: CommandLine) -> None:
    app = command_line.app(APP.replace("NEEDS", ""))

    process = command_line.run(
        "run", "app", app, "--engine", "ray", "--address", "127.0.0.1:1", "--without-server", timeout=30.0
    )

    assert "There is no Ray cluster at 127.0.0.1:1" in process.stdout, process.report()


@pytest.mark.slow
def test_what_no_node_can_give_is_one_sentence(command_line: CommandLine, ray_here: dict[str, str]) -> None:
    app = command_line.app(APP.replace("NEEDS", "cpus=5000"))
    words = ["--engine", "ray", "--address", ray_here["LIGHTNING_ADDRESS"], "--without-server"]

    process = command_line.run("run", "app", app, *words, env=ray_here, timeout=30.0)

    assert "root.w asks for 5000 CPUs; no node has more than" in process.stdout, process.report()


@pytest.mark.slow
def test_the_doctor_finds_a_cluster_whose_nodes_can_run_works(
    command_line: CommandLine, ray_here: dict[str, str]
) -> None:
    words = ["doctor", "--engine", "ray", "--address", ray_here["LIGHTNING_ADDRESS"]]

    well, without_token = command_line.run(*words, env=ray_here), {**ray_here, "RAY_AUTH_MODE": "disabled"}
    barred = command_line.run(*words, env=without_token, timeout=100.0)

    assert "lets us in: 1 node" in well.stdout, well.report()
    assert "reaches this machine at 127.0.0.1" in well.stdout
    assert "does not let us in: set RAY_AUTH_MODE=token" in barred.stdout, barred.report()
    assert (well.process.returncode, barred.process.returncode) == (0, 1)


def test_an_address_that_is_not_this_machines_is_one_sentence(command_line: CommandLine) -> None:
    app = command_line.app(APP.replace("NEEDS", ""))
    words = ["--engine", "ray", "--address", "127.0.0.1:1", "--advertise-host", "192.0.2.77", "--without-server"]

    process = command_line.run("run", "app", app, *words, timeout=30.0)

    assert process.process.returncode == 1
    assert "cannot be dialled at 192.0.2.77" in process.stderr
    assert "Traceback" not in process.stderr


def test_the_doctor_says_that_nobody_is_there(command_line: CommandLine) -> None:
    process = command_line.start("doctor", "--engine", "ray", "--address", "127.0.0.1:1")

    assert process.wait() == 1
    assert "bad  There is no Ray cluster at 127.0.0.1:1" in process.stdout


def test_our_own_cluster_listens_where_only_this_machine_is(tmp_path: Any) -> None:
    words = ray_launcher.head_command(str(tmp_path))

    assert "--node-ip-address=127.0.0.1" in words
    assert "--disable-usage-stats" in words


@pytest.mark.slow
@pytest.mark.parametrize(
    "token", [{}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/nowhere"}], ids=["none", "missing"]
)
def test_a_cluster_that_does_not_let_us_in_is_said_at_once(
    command_line: CommandLine, ray_here: dict[str, str], token: dict[str, str]
) -> None:
    ran = command_line.run(
        "doctor", "--engine", "ray", "--address", ray_here["LIGHTNING_ADDRESS"], env=token, timeout=30
    )

    assert "does not let us in: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH" in ran.stdout, ran.report()
