"""Several machines on one: each has its own network, process, mount and host-name namespace, joined by one bridge.

Switching a machine off ends all on it at once; taking its link down cuts it off.  Needs root; `cannot()` says why there are none.
"""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from typing import Any

NETWORK = "10.77.0"


def shell(command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a line of shell; its output is kept for the message of a failure."""
    done = subprocess.run(command, shell=True, text=True, capture_output=True, check=False)
    if check and done.returncode:
        raise OSError(f"{command}: {done.stderr.strip()}")
    return done


def cannot() -> str:
    """Why there can be no machines here, or ""."""
    name = f"probe{uuid.uuid4().hex[:6]}"
    try:
        shell(f"ip netns add {name}")
        try:
            shell("unshare --pid --fork --mount-proc --mount --uts true")
        finally:
            shell(f"ip netns del {name}", check=False)
    except OSError as error:
        return f"no namespaces here: {error}"
    return ""


class Machine:
    """One of them; `ip` is its address."""

    def __init__(self, lab: Lab, number: int) -> None:
        self.number, self.ip, self.name = number, f"{NETWORK}.{10 + number}", f"{lab.tag}m{number}"
        self._lab = lab
        self._first: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Its first process, whose end is the end of all others; /dev/shm is its own."""
        prepare = f"hostname {self.name}; mount -t tmpfs tmpfs /dev/shm; exec sleep infinity"
        command = f"ip netns exec {self.name} unshare --pid --mount --uts --fork --kill-child=KILL --mount-proc"
        self._first = subprocess.Popen(
            [*command.split(), "bash", "-c", prepare], stdin=subprocess.DEVNULL, start_new_session=True
        )

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process there."""
        return subprocess.Popen(self.entering() + command, **options)

    def entering(self, folder: Path | None = None) -> list[str]:
        """Words before a command that have it run there, in this folder."""
        assert self._first is not None, "the machine is off"
        listing = Path(f"/proc/{self._first.pid}/task/{self._first.pid}/children")
        while not (children := listing.read_text().split()):
            assert self._first.poll() is None, "the machine did not boot"
        return ["nsenter", "-t", children[0], "-n", "-m", "-p", "-u", f"--wd={folder or Path.cwd()}"]

    def kill(self, words: str) -> None:
        """SIGKILL every process there whose command line has these words."""
        done = subprocess.run([*self.entering(), "pkill", "-KILL", "-f", words], check=False)
        assert done.returncode == 0, f"nothing like {words!r} runs there"

    def cut(self) -> None:
        """Take its link down."""
        shell(f"ip -n {self._lab.switch} link set v{self.number} down")

    def heal(self) -> None:
        """Bring its link up again."""
        shell(f"ip -n {self._lab.switch} link set v{self.number} up")

    def off(self) -> None:
        """Pull its plug."""
        if self._first is not None:
            self._first.kill()
            self._first.wait()
            self._first = None


class Lab:
    """Machines 0 to `count` - 1, for a `with`."""

    def __init__(self, count: int) -> None:
        self.tag = uuid.uuid4().hex[:4]
        self.switch = f"{self.tag}sw"
        self.machines = [Machine(self, number) for number in range(count)]

    def __getitem__(self, number: int) -> Machine:
        return self.machines[number]

    def __enter__(self) -> Lab:
        shell(f"ip netns add {self.switch}")
        shell(f"ip -n {self.switch} link add br0 type bridge && ip -n {self.switch} link set br0 up")
        for machine in self.machines:
            name, end = machine.name, f"v{machine.number}"
            shell(f"ip netns add {name} && ip -n {name} link set lo up")
            shell(f"ip link add {end} netns {self.switch} type veth peer name eth0 netns {name}")
            shell(f"ip -n {self.switch} link set {end} master br0 up")
            shell(f"ip -n {name} addr add {machine.ip}/24 dev eth0 && ip -n {name} link set eth0 up")
            machine.boot()
        return self

    def __exit__(self, *error: object) -> None:
        for machine in self.machines:
            machine.off()
            shell(f"ip netns del {machine.name}", check=False)
        shell(f"ip netns del {self.switch}", check=False)
