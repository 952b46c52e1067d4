"""A real Ray cluster on machines of a lab: a head without room for works, and nodes that can be cut off, switched off and booted again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from conftest import CommandLine, CommandProcess, eventually
from engines.distant.plain_lab import PlainLab
from lab import Lab, Machine
from lightning_apps.model.binding import free_port

RAY = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
# what Ray's own detection is told does not matter to us, but makes a node that came back usable again sooner
QUICK = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "20",
}


class RayCluster:
    """Machine 0 has the head, the others a node with two CPUs each."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.folder = lab, Path(tempfile.mkdtemp(prefix="lr", dir="/tmp"))
        token = self.folder / "token"
        token.write_text("0123456789abcdef0123456789abcdef")
        token.chmod(0o600)
        self.environ = {
            **QUICK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0",
        }  # fmt: skip
        self.plain = isinstance(lab, PlainLab)
        self.port = free_port() if self.plain else 6379
        self.address = f"{lab[0].ip}:{self.port}"
        self.daemons: dict[int, subprocess.Popen[bytes]] = {}
        self._boots, self._headless = 0, False

    def start(self) -> None:
        self.start_head()
        for machine in self.lab.machines[1:]:
            self.start_node(machine)
        self.until(len(self.lab.machines))

    def start_head(self) -> None:
        self._start(self.lab[0], "--head", f"--port={self.port}", "--num-cpus=0", "--include-dashboard=false")
        there = self.folder / f"0.{self._boots}" / "ray_current_cluster"
        eventually(there.exists, 40.0, what=self.report)

    def start_node(self, machine: Machine) -> None:
        self._start(machine, f"--address={self.address}", "--num-cpus=2")

    def _start(self, machine: Machine, *words: str) -> None:
        self._boots += 1
        sessions = self.folder / f"{machine.number}.{self._boots}"
        with (self.folder / f"{machine.number}.log").open("ab") as log:
            self.daemons[machine.number] = machine.start(
                [sys.executable, "-c", RAY, "start", "--block", f"--node-ip-address={machine.ip}", f"--temp-dir={sessions}",
                 "--object-store-memory=100000000", "--disable-usage-stats", *words],
                env={**os.environ, **self.environ, "MACHINE": machine.name},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def until(self, nodes: int) -> None:
        """Wait until so many nodes live."""
        code = (
            "import ray, time; ray.init(address='" + self.address + "', log_to_driver=False, logging_level='error',"
            f" _node_ip_address='{self.lab[0].ip}')\n"
            f"while sum(node['Alive'] for node in ray.nodes()) < {nodes}: time.sleep(0.1)"
        )
        command = [*self.lab[0].entering(), sys.executable, "-c", code]
        done = subprocess.run(
            command, env={**os.environ, **self.environ}, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr + self.report()

    def kill_head(self) -> None:
        """The cluster is no more when the test is over: the next one that needs it gets another."""
        self._headless = True
        self.daemons[0].kill()
        self.lab[0].kill("gcs_server")

    def renew(self) -> None:
        """Another cluster on the same machines."""
        self._headless = False
        for machine in self.lab.machines:
            machine.off()
            machine.boot()
        self.start()

    def reboot(self, number: int) -> None:
        """Switch a machine on again, with a node of the cluster on it."""
        machine = self.lab[number]
        machine.off()
        machine.boot()
        machine.heal()
        self.start_node(machine)

    def report(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')}" for path in self.folder.glob("*.log"))

    def run(self, line: CommandLine, app: Path, *words: str, env: Mapping[str, str] | None = None) -> CommandProcess:
        """`lightning run app APP --engine ray …` on machine 0."""
        if self._headless:
            self.renew()
        arguments = [
            *self.lab[0].entering(line.folder), sys.executable, "-m", "lightning_apps", "run", "app", str(app), "--engine", "ray",
            "--address", self.address, "--open-ui", "false", *(["--advertise-host", "127.0.0.1"] if self.plain else []), *words,
            *[word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")],
        ]  # fmt: skip
        # --advertise-host is left out on purpose: the way to the cluster says which address it is
        return line.execute(
            arguments, env={**self.environ, "LIGHTNING_LOG_PREFIX": "never", "LIGHTNING_REMOTE_ORPHAN_LIMIT": "20"}
        )

    def end(self) -> None:
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
