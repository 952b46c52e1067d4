"""`python -m lightning_apps.engines.ray_look ADDRESS HOST`: what `lightning doctor --engine ray` wants to know of a cluster, as JSON lines.

A process of its own, as Ray prints what it likes and may end its process.  Places nothing; leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from .. import __version__
from ..base.settings import environ
from . import ray_fit
from .ray_broker import brief, connect

GOOD, NOTE, BAD = "ok", "note", "bad"
LIMIT = 90.0  # seconds for all of it
REACH = 5.0  # seconds to reach this machine
MISSING = 'The package {} is not installed here: pip install "lightning-apps[ray]"'


class Told(msgspec.Struct, frozen=True, array_like=True):
    """One finding: "ok", "note" or "bad", and a sentence."""

    verdict: str
    sentence: str


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """A node from within: the version of this package, and why this machine is not reached from there, or ""."""

    version: str
    unreached: str


def examine(address: str, host: str) -> Iterator[tuple[str, str]]:
    """What can be said of Ray here and of the cluster at this address: a verdict and a sentence for each finding.

    Args:
        address: "": none is named.
        host: address of this machine, as the cluster's nodes reach it.
    """
    for package in ("ray", "cryptography"):
        if importlib.util.find_spec(package) is None:
            yield BAD, MISSING.format(package)
            return
    versions = importlib.import_module("importlib.metadata")
    yield GOOD, f"Ray {versions.version('ray')} is installed here"
    if not address:
        yield GOOD, "No --address is given: each app starts a cluster of its own, on this machine"
        return
    yield from ((told.verdict, told.sentence) for told in _ask_cluster(address, host))


def _ask_cluster(address: str, host: str) -> Iterator[Told]:
    command = [sys.executable, "-m", __name__, address, host]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL, env=environ(), check=False
        )
    except subprocess.TimeoutExpired:
        yield Told(BAD, f"The Ray cluster at {address} did not answer within {LIMIT:g} s.")
        return
    lines = [line for line in done.stdout.splitlines() if line.startswith(b"[")]
    yield from (msgspec.json.decode(line, type=Told) for line in lines)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it says nothing"]
        yield Told(BAD, f"Ray has ended while it was asked about {address}: {said[0]}")


def look(host: str, port: int) -> bytes:
    """Runs on a node: is this machine reached from there?"""
    unreached = ""
    if port:
        try:
            socket.create_connection((host, port), REACH).close()
        except OSError as error:
            unreached = error.strerror or str(error)
    return msgspec.json.encode(Seen(__version__, unreached))


def findings(address: str, host: str) -> Iterator[Told]:
    """Of a cluster, seen from this process."""
    try:
        socket.create_server((host, 0)).close()
    except OSError as error:
        yield Told(
            BAD,
            f"This machine has no address {host} ({os.strerror(error.errno or 0)}): name one of its own with --advertise-host.",
        )
        return
    try:
        ray = connect(address, "lightning-doctor", host)
    except Exception as error:
        yield Told(BAD, str(error))
        return
    living = ray_fit.nodes(ray.nodes())
    total = {name: sum(node.total.get(name, 0.0) for node in living) for name in ("CPU", "GPU")}
    nodes = "1 node" if len(living) == 1 else f"{len(living)} nodes"
    counts = [f"{total[name]:g} {name}{'' if total[name] == 1 else 's'}" for name in ("CPU", "GPU")]
    has = ", ".join([nodes, *counts])
    yield Told(GOOD if total["CPU"] else NOTE, f"The Ray cluster at {address} lets us in: {has}")
    with socket.create_server((host, 0)) as server:
        for node in living:
            yield _of_node(ray, node, host, server.getsockname()[1])


def _of_node(ray: Any, node: ray_fit.Node, host: str, port: int) -> Told:
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    there = strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)
    task = ray.remote(look).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    try:
        seen = msgspec.json.decode(ray.get(task.remote(host, port), timeout=30.0), type=Seen)
    except Exception as error:
        return Told(
            BAD,
            f"The node {node.name} cannot run our works: install lightning-apps {__version__} there ({brief(error)})",
        )
    if seen.version != __version__:
        return Told(
            BAD,
            f"The node {node.name} has lightning-apps {seen.version}, this machine {__version__}: install the same.",
        )
    if seen.unreached:
        return Told(
            BAD,
            f"The node {node.name} does not reach this machine at {host} ({seen.unreached}): name another with --advertise-host.",
        )
    return Told(GOOD, f"The node {node.name} has lightning-apps {seen.version} and reaches this machine at {host}")


def main() -> None:
    """Print what is found of the cluster."""
    itself = importlib.import_module(
        "lightning_apps.engines.ray_look"
    )  # nodes import it from there, not from `__main__`
    with os.fdopen(os.dup(1), "wb", buffering=0) as output:
        os.dup2(2, 1)  # whatever Ray prints
        for told in itself.findings(sys.argv[1], sys.argv[2]):
            output.write(msgspec.json.encode(told) + b"\n")
    with contextlib.suppress(Exception):
        importlib.import_module("ray").shutdown()


if __name__ == "__main__":
    main()
