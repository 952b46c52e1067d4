"""The chapter about tests is true: its tests run as it says, against the app that it shows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/testing.md").read_text()
APP = ROOT / "examples/nightly/app.py"
SHOWN, *TESTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FAILS = "test_that_expects_too_much"
NAMES = re.findall(r"^def (test_\w+)", "\n".join(TESTS), re.MULTILINE)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints of all tests of the page, in one file beside the app."""
    folder = tmp_path_factory.mktemp("nightly")
    shutil.copy(APP, folder / "app.py")
    (folder / "test_nightly.py").write_text("\n\n".join(TESTS))
    plugins = [word for name in ("cacheprovider", "xdist", "hypothesispytest") for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", *plugins, "--strict-markers", "-v"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    return done.stdout + done.stderr


def test_the_page_shows_the_app_as_it_is() -> None:
    assert SHOWN.strip() in APP.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_test_of_the_page_does_what_the_page_says(name: str, said: str) -> None:
    assert f"test_nightly.py::{name} {'FAILED' if name == FAILS else 'PASSED'}" in said, said


@pytest.mark.slow
def test_the_failed_test_prints_what_the_page_shows(said: str) -> None:
    (shown,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    assert [line for line in shown.splitlines() if line not in said] == []
