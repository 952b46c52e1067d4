"""Child processes, as older components ask for them."""

from __future__ import annotations

import os
import subprocess
import sys

from lightning_apps.components.children import collect_child_process_pids

GRANDPARENT = """
import subprocess, sys
code = "print('ready', flush=True); input()"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
input()
"""


def test_children_and_their_children_are_found() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GRANDPARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())

        found = collect_child_process_pids(os.getpid())

        assert found.index(child.pid) < found.index(grandchild)
        assert collect_child_process_pids(child.pid) == [grandchild]
        assert os.getpid() not in found
        child.communicate("\n")


def test_a_process_without_children_has_none() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert collect_child_process_pids(child.pid) == []
        child.communicate(b"\n")
