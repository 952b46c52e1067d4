"""Tensors, frames and tables in a real app: as state, as arguments and by reference, each with what belongs to it."""

from __future__ import annotations

import pytest

from conftest import CommandLine

APP = """
import numpy as np
import pandas as pd
import pyarrow as pa
import torch
import lightning as L
from lightning.app.storage import Payload

class Work(L.LightningWork):
    def __init__(self):
        super().__init__()
        self.small, self.big, self.half, self.frame, self.table, self.model = torch.arange(6.0).reshape(2, 3), None, None, None, None, None

    def run(self, big, grad, frame, table, nested, strided):
        with open("/proc/self/maps") as file:
            assert any("/files/objects/" in line for line in file)
        assert grad.requires_grad and grad.is_leaf and nested["x"][0].tolist() == [1, 2] and strided.sum() == 60_000
        (grad * 2).sum().backward()
        assert grad.grad.sum() == 400_000
        big[0, 0] = 5.0
        self.big, self.small, self.half = big * 2, self.small + 1, torch.ones(3, dtype=torch.bfloat16)
        self.frame, self.table = frame.assign(a=frame["a"] * 2), table.slice(0, 2)
        self.model = Payload(torch.nn.Linear(3, 4).state_dict())

class Load(L.LightningWork):
    def run(self, model, big):
        torch.nn.Linear(3, 4).load_state_dict(model.value)
        assert big.sum() == 2 * 512 * 512 + 8

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work, self.load, self.big = Work(), Load(), torch.ones(512, 512)
        self.grad = torch.ones(200_000, requires_grad=True)

    def run(self):
        frame = pd.DataFrame({"a": np.arange(100_000.0), "c": pd.Categorical(["u", "v"] * 50_000)})
        table = pa.table({"x": list(range(100_000))})
        self.work.run(self.big, self.grad, frame, table, {"x": [torch.tensor([1, 2])]}, torch.ones(600, 600)[::2, ::3])
        self.load.run(self.work.model, self.work.big)
        assert self.big[0, 0] == 1.0 and self.work.half.dtype == torch.bfloat16
        assert self.work.small.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
        assert self.work.frame["a"].sum() == 9_999_900_000 and self.work.table.num_rows == 2
        print("all is well")
        self.stop()

app = L.LightningApp(Root())
"""


@pytest.mark.slow
def test_tensors_frames_and_tables_go_from_process_to_process(command_line: CommandLine) -> None:
    for library in ("torch", "pandas", "pyarrow"):
        pytest.importorskip(library)
    process = command_line.run("run", "app", command_line.app(APP), "--open-ui", "false", timeout=120.0)

    assert "all is well" in process.stdout, process.report()
