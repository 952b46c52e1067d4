"""A real browser: Debian's Chromium through Playwright, which downloads nothing here.  Left out where there is none, except in CI."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    return next((path for name in NAMES if (path := shutil.which(name))), "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """For one module: while it is open an event loop counts as running, and tests of others may want to run theirs."""
    executable = chromium()
    if not executable and not os.environ.get("CI"):
        pytest.skip(
            "there is no Chromium here: scripts/setup installs it where it may (Debian: apt-get install chromium)"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable or None, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab of the browser; what goes wrong in our own files fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 700})
    opened, errors = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.set_default_timeout(30_000)
    yield opened
    context.close()
    assert not errors


class Running:
    """An app that runs, and where its page is."""

    def __init__(self, process: Any, port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}/view"


@pytest.fixture
def run(command_line: Any, eventually: Callable[..., Any]) -> Iterator[Callable[..., Running]]:
    """Run an app file's text; all end as apps do."""
    started: list[Running] = []

    def start(text: str, *options: str) -> Running:
        process = command_line.start(
            "run", "app", command_line.app(text), "--open-ui", "false", "--port", "0", *options
        )
        process.wait_for("/view", stream="stderr")
        found = re.search(r"http://127\.0\.0\.1:(\d+)/view", process.stderr)
        assert found is not None, process.report()
        started.append(Running(process, int(found[1])))
        return started[-1]

    yield start
    for each in started:
        each.process.signal(signal.SIGTERM)
        assert each.process.wait() == 143
        each.process.assert_nothing_left()
