"""What is said in /openapi.json is what is served, whatever is sent."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

APP = """
import lightning as L

class Work(L.LightningWork):
    def run(self):
        pass

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.w, self.n, self.items, self.pair = Work(parallel=True), 0, [1], (1, {"a": 2})

    def run(self):
        self.w.run()

app = L.LightningApp(Root())
"""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,allow_header_conformance"


@pytest.mark.slow
def test_whatever_is_sent_is_answered_as_described(serve: Any, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    app = serve(APP)
    url = f"{app.address}/openapi.json"
    options = ["--checks", CHECKS, "--exclude-path", "/api/v1/logs", "--max-examples", "25", "--no-color"]

    command = [sys.executable, "-m", "schemathesis.cli", "run", url, "--url", app.address, *options]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=300)

    assert ran.returncode == 0, ran.stdout[-6000:] + app.process.stderr[-3000:]
    tried = re.search(r"(\d+) generated", ran.stdout)
    assert tried is not None and int(tried[1]) > 100
    assert "Traceback" not in app.process.stderr
    assert app.get("/healthz") == {"status": "ok"}
