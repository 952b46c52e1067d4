"""One Ray cluster on loopback for all processes of a test run: the first that needs it starts it, the last that has used it ends it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conftest import eventually
from lightning_apps.engines import process_tree, ray_launcher


@contextlib.contextmanager
def shared_cluster(meeting: Path) -> Iterator[dict[str, str]]:
    """Variables for apps that use it.

    Args:
        meeting: a folder that the processes of this test run have in common.
    """
    with (meeting / "ray.users").open("a") as users:
        about = meeting / "ray.json"
        with _alone(meeting):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not about.exists():
                about.write_text(json.dumps(_start()))
            known = json.loads(about.read_text())
        try:
            yield known["env"]
        finally:
            with _alone(meeting):
                fcntl.flock(users, fcntl.LOCK_UN)
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    about.unlink()
                    _end(known["pid"], known["folder"])


@contextlib.contextmanager
def _alone(meeting: Path) -> Iterator[None]:
    with (meeting / "ray.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start() -> dict[str, Any]:
    folder = tempfile.mkdtemp(prefix="lr", dir="/tmp")
    head = ray_launcher.start_head(folder, "--num-gpus=1", tied=False)
    try:
        env = {**ray_launcher.own_environment(folder), "LIGHTNING_ADDRESS": ray_launcher.own_address(folder)}
    except BaseException:
        _end(head.pid, folder)
        raise
    return {"pid": head.pid, "folder": folder, "env": env}


def _end(pid: int, folder: str) -> None:
    def gone() -> bool:
        found = process_tree.look(pid)
        return found is None or found.zombie  # another process of this test run may be the one to reap it

    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    eventually(gone, 60.0)
    shutil.rmtree(folder, ignore_errors=True)
