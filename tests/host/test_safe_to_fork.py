"""A process whose threads a fork would tear in two is told from one whose threads end by themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = "from lightning_apps.host.zygote import safe_to_fork; print(safe_to_fork())"
OPENMP = """
import ctypes, sys
try:
    gomp = ctypes.CDLL("libgomp.so.1")
except OSError:
    sys.exit(print("none"))
body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda data: None)
if {many}:
    gomp.GOMP_parallel(body, None, 3, 0)
"""


def told(before: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", before + ASK], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize(("many", "answer"), [(False, "True"), (True, "False")])
def test_threads_of_openmp_do_not_survive_a_fork(many: bool, answer: str) -> None:
    found = told(OPENMP.format(many=many))
    if found == "none":
        pytest.skip("no libgomp here")
    assert found == answer


def test_threads_of_blas_do() -> None:
    pytest.importorskip("numpy")
    assert told("import numpy; a = numpy.ones((300, 300)); a @ a\n") == "True"


def test_threads_of_python_do_not() -> None:
    assert told("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()\n") == "False"


def test_torch_may_be_forked_until_it_has_had_much_to_do() -> None:
    pytest.importorskip("torch")
    assert told("import torch; torch.ones(10).sum()\n") == "True"
    assert told("import torch; torch.ones(1_000_000).sum()\n") == "False"
