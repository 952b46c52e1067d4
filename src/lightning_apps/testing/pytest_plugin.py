"""The plugin that pytest loads where this package is installed: fixtures, markers, and messages that show what an app did.

It costs next to nothing where no test uses it: everything else of this package is imported by the fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .app_test import AppTest
    from .clock import VirtualClock
    from .running_app import RunningApp

KIT = __name__.rpartition(".")[0]
MARKERS = (
    "virtual_time(start, zone=None): what `virtual_clock` shows at first, as '2026-03-29 01:30', and the name of its zone.",
    "app_patience(seconds): how long `running_app` waits before it gives up.",
    "real_app: uses `running_app`, so it starts processes; set by itself, to leave such tests out with -m 'not real_app'.",
)
MADE = pytest.StashKey[list[Any]]()


def _kit(module: str) -> Any:
    return import_module(f"{KIT}.{module}")


# fixtures --------------------------------------------------------------------------------------------------------


@pytest.fixture
def virtual_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """A clock that stands still until it is told to go on; `app_test` goes by it.

    See the marker `virtual_time`; else it begins on 2026-01-01, midnight UTC.
    """
    clock: type[VirtualClock] = _kit("clock").VirtualClock
    marker = request.node.get_closest_marker("virtual_time")
    return clock() if marker is None else clock(*_start(*marker.args, **marker.kwargs))


def _start(start: str | datetime, zone: str | None = None) -> tuple[datetime, Any]:
    named = import_module("zoneinfo").ZoneInfo(zone or "UTC")
    return (datetime.fromisoformat(start) if isinstance(start, str) else start), named


@pytest.fixture
def app_test(request: pytest.FixtureRequest, virtual_clock: VirtualClock) -> Iterator[Callable[..., AppTest]]:
    """Makes an `AppTest` of a flow, a class, an app or an app file; it is closed after the test, and shown if that fails.

    Example:
        def test_training_ends_the_app(app_test):
            app = app_test(Root)
            app.works["train"].finish(loss=0.1)
            assert app.finish() == 0
    """
    made = request.node.stash.setdefault(MADE, [])

    def make(app: Any, **options: Any) -> AppTest:
        if not options.keys() & {"start", "zone"}:
            options.setdefault("clock", virtual_clock)
        made.append(_kit("app_test").AppTest(app, **options))
        found: AppTest = made[-1]
        return found

    yield make
    for app in made:
        app.close()


@pytest.fixture
def running_app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RunningApp]]:
    """Runs an app file as `lightning run app` does, with a free port and a run folder of its own; it is ended after the test, for sure.

    Example:
        def test_it_trains(running_app):
            app = running_app("app.py", "--env", "STEPS=3")
            app.wait_for(lambda: app.state["root.train"]["loss"] < 0.5)
            assert app.wait() == 0
    """
    marker = request.node.get_closest_marker("app_patience")
    options: dict[str, Any] = {} if marker is None else {"patience": float(marker.args[0])}
    folder = tmp_path_factory.mktemp("running_app")
    started: list[RunningApp] = []

    def start(*words: Any, **own: Any) -> RunningApp:
        started.append(_kit("running_app").RunningApp(*words, folder=folder, **{**options, **own}))
        return started[-1]

    yield start
    for app in started:
        app.end()


# what pytest asks for --------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, for `--strict-markers` and `--markers`."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start processes."""
    for item in items:
        if "running_app" in getattr(item, "fixturenames", ()):
            item.add_marker("real_app")


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Two states that differ are explained component by component."""
    if op != "==" or not (isinstance(left, dict) and isinstance(right, dict)):
        return None
    if "vars" in left and "vars" in right:
        diff = _kit("state_diff")
        if diff.is_state(left) and diff.is_state(right):
            return ["the states differ:", *diff.explain(left, right)]
    elif "root" in left and "root" in right:
        diff = _kit("state_diff")
        if diff.are_values(left) and diff.are_values(right):
            return ["the values differ:", *diff.explain_values(left, right)]
    return None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows where its apps stood."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call" and report.failed:
        captured = any(title.startswith("Captured std") for title, _ in report.sections)
        for app in item.stash.get(MADE, []):
            report.sections.append(("App under test", _kit("told").tell(app, printed=not captured)))
