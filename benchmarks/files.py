#!/usr/bin/env python3
"""Times the handing over of files and arrays: against `cp`, against memory, and between two network namespaces against a raw socket.

usage: benchmarks/files.py [--folder DIR] [--size MIB] [--repeat N] [CASE …]
cases: big (one file), small (10,000 files in a folder), array (100 MB as an argument), network (needs root and `ip`)
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from lightning_apps.base import fingerprint
from lightning_apps.base.registry import registry
from lightning_apps.base.rich import dumps
from lightning_apps.core.keys import call_key
from lightning_apps.storage import trees
from lightning_apps.storage.exchange import Exchange, Tls, own_tls
from lightning_apps.storage.fetching import Fetcher
from lightning_apps.storage.hashing import name_of
from lightning_apps.storage.shelf_of_values import ValueShelf
from lightning_apps.storage.store import Store

TOKEN = b"benchmark" * 4


def seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def row(what: str, found: list[float], against: list[float], to_reach: str) -> None:
    ours, theirs = statistics.median(found), statistics.median(against)
    print(f"| {what} | {ours:.3f} s | {theirs:.3f} s | {ours / theirs:.2f} | {to_reach} |", flush=True)


def random_file(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))


def settled(folder: Path, size: int) -> None:
    """Nothing is left to write, and memory for `size` bytes is at hand: a virtual machine gives back what was free for seconds, and whoever
    writes first then pays for having it again, more than for the writing."""
    os.sync()
    piece = bytes(1 << 18)
    with (folder / "warm").open("wb", buffering=0) as file:
        for _ in range(size // len(piece)):
            file.write(piece)
    (folder / "warm").unlink()


def big(folder: Path, size: int, repeat: int) -> None:
    """Work to work on one machine is one handing over: the other finds the file where it lies."""
    random_file(folder / "file", size)
    store, ours, copies = Store(str(folder / "objects")), [], []
    for _ in range(repeat):
        settled(folder, size)
        copies.append(
            seconds(lambda: subprocess.run(["cp", "--reflink=auto", folder / "file", folder / "copy"], check=True))
        )
        (folder / "copy").unlink()
        settled(folder, size)
        ours.append(seconds(lambda: store.put_file(str(folder / "file"))))
        shutil.rmtree(store.folder)
    row(f"{size >> 20} MiB file handed over, against cp", ours, copies, "1.3")


def small(folder: Path, size: int, repeat: int) -> None:
    for n in range(10_000):
        path = folder / "many" / str(n % 100) / f"{n}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1000))
    store, puts, gets, copies = Store(str(folder / "objects")), [], [], []
    for _ in range(repeat):
        os.sync()
        copies.append(seconds(lambda: subprocess.run(["cp", "-r", folder / "many", folder / "copy"], check=True)))
        shutil.rmtree(folder / "copy")
        os.sync()
        puts.append(seconds(lambda: trees.put_tree(store, str(folder / "many"))))
        _, tree = trees.put_tree(store, str(folder / "many"))
        os.sync()
        gets.append(seconds(lambda tree=tree: trees.write_tree(store, tree, str(folder / "out"))))
        shutil.rmtree(folder / "out")
        shutil.rmtree(store.folder)
    both = [put + get for put, get in zip(puts, gets, strict=True)]
    row("10,000 files of 1 kB handed over, against cp -r", puts, copies, "2")
    row("10,000 files of 1 kB handed over and written elsewhere, against cp -r", both, copies, "2")


def array(folder: Path, size: int, repeat: int) -> None:
    import pickle

    import numpy

    ours, again, plain = [], [], []
    for number in range(repeat + 1):
        value = numpy.arange(12_500_000, dtype="f8") + number
        shelf = registry.shelf = ValueShelf(Store(str(folder / "objects")), 65536)

        def send(value: object = value) -> None:
            call_key((value,), {}, print)
            pickle.loads(dumps((value,)))

        ours.append(seconds(send))
        again.append(seconds(send))
        with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
            target = os.path.join(memory, "plain")

            def write(target: str = target, value: object = value) -> None:
                Path(target).write_bytes(memoryview(value).cast("B"))  # type: ignore[arg-type]
                name_of(memoryview(value).cast("B"))  # type: ignore[arg-type]

            plain.append(seconds(write))
        if not number:  # the first pays for libraries and threads
            ours, again, plain = [], [], []
        del shelf
        registry.shelf = None
        shutil.rmtree(folder / "objects")
    row("100 MB array as an argument, against a write to /dev/shm and one hash", ours, plain, "2")
    row("the same array in the next turn, against the same", again, plain, "no second hash")


def network(folder: Path, size: int, repeat: int) -> None:
    """A process in each of two namespaces with a veth pair between them."""
    names = [f"lf{uuid.uuid4().hex[:6]}" for _ in range(2)]
    commands = [f"ip netns add {name}" for name in names]
    commands += [f"ip link add veth netns {names[0]} type veth peer name veth netns {names[1]}"]
    commands += [f"ip -n {name} addr add 10.78.0.{n + 1}/24 dev veth" for n, name in enumerate(names)]
    commands += [f"ip -n {name} link set veth up" for name in names]
    random_file(folder / "file", size)
    content, _ = Store(str(folder / "there")).put_file(str(folder / "file"))
    found: dict[str, list[float]] = {role: [] for role in ("raw", "raw-tls", "ours", "ours-tls")}
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        for _ in range(repeat):
            for role, times in found.items():
                shutil.rmtree(folder / "here", ignore_errors=True)
                settled(folder, size)
                times.append(one_transfer(folder, role, names, content))
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)
    what = f"{size >> 20} MiB between namespaces to disk and checked, "
    row(f"{what}encrypted, against a raw socket into nothing", found["ours-tls"], found["raw"], "1.25")
    row(f"{what}encrypted, against a socket of `ssl` into nothing", found["ours-tls"], found["raw-tls"], "")
    row(f"{what}not encrypted, against a raw socket into nothing", found["ours"], found["raw"], "1.25")


def one_transfer(folder: Path, role: str, names: list[str], content: str) -> float:
    me = [sys.executable, os.path.abspath(__file__), "--folder", str(folder)]
    serve = subprocess.Popen(
        ["ip", "netns", "exec", names[0], *me, "--role", f"{role}-serve"], stdout=subprocess.PIPE, text=True
    )
    assert serve.stdout is not None
    address = serve.stdout.readline().strip()
    fetch = ["ip", "netns", "exec", names[1], *me, "--role", f"{role}-fetch", address, content]
    told = subprocess.run(fetch, check=True, capture_output=True, text=True)
    serve.kill()
    serve.wait()
    return float(told.stdout)


def raw_serve(folder: Path, tls: Tls | None) -> None:
    with socket.create_server(("10.78.0.1", 5000)) as server, (folder / "file").open("rb") as file:
        print("10.78.0.1:5000", flush=True)
        sock, _ = server.accept()
        if tls is not None:
            sock = tls.context.wrap_socket(sock, server_side=True)
        sock.sendfile(file)
        sock.close()


def raw_fetch(tls: bool) -> float:
    buffer = bytearray(1 << 20)

    def read() -> None:
        with socket.create_connection(("10.78.0.1", 5000)) as plain:
            sock = fingerprint.calling().wrap_socket(plain) if tls else plain
            while sock.recv_into(buffer):
                """Into nothing."""

    return seconds(read)


def ours_serve(folder: Path, tls: Tls | None) -> None:
    print(Exchange(Store(str(folder / "there")), TOKEN, host="10.78.0.1", port=5001, tls=tls).address, flush=True)
    time.sleep(600)


def ours_fetch(folder: Path, address: str, content: str) -> float:
    fetcher = Fetcher(Store(str(folder / "here")), TOKEN)
    return seconds(lambda: fetcher.fetch(content, [address]))


def play(role: str, folder: Path, told: list[str]) -> None:
    """One side of a transfer, in a namespace."""
    tls = own_tls() if role.endswith("-tls-serve") else None
    roles: dict[str, Callable[[], object]] = {
        "raw-serve": lambda: raw_serve(folder, tls),
        "raw-fetch": lambda: print(raw_fetch("-tls" in role)),
        "ours-serve": lambda: ours_serve(folder, tls),
        "ours-fetch": lambda: print(ours_fetch(folder, *told)),
    }
    roles[role.replace("-tls", "")]()


CASES = {"big": big, "small": small, "array": array, "network": network}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="where files are made; the disk matters")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the big file")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    if given.role:
        play(given.role, Path(given.folder), given.cases)
        return
    print("| | ours | other | ratio | to reach |\n|---|---|---|---|---|")
    for name in given.cases or CASES:
        with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
            CASES[name](Path(scratch), given.size << 20, given.repeat)


if __name__ == "__main__":
    main()
