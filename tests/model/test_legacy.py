"""Names of the older framework: there, and doing what their users expect."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_apps.model import legacy, legacy_packages
from lightning_apps.model.app import LightningApp
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.legacy import Logger, _LightningAppRef, is_overridden, pretty_state
from lightning_apps.model.work import LightningWork


class Work(LightningWork):
    def __init__(self) -> None:
        super().__init__()
        self.loss = 0.5

    def run(self) -> None: ...


class Flow(LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.count = 1
        self.work = Work()

    def run(self) -> None: ...

    def configure_layout(self) -> Any:
        return []


def test_what_was_overridden_is_told_for_flows_and_works() -> None:
    flow = Flow()

    assert is_overridden("configure_layout", flow)
    assert is_overridden("run", flow.work)
    assert not is_overridden("configure_commands", instance=flow)
    assert not is_overridden("on_exit", flow.work)
    assert not is_overridden("run", None)
    assert not is_overridden("nothing", flow)
    assert is_overridden("configure_layout", instance=flow, parent=LightningFlow)


def test_without_a_parent_other_objects_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="Expected a parent"):
        is_overridden("x", object())


def test_a_pretty_state_shows_public_variables_only() -> None:
    assert pretty_state(LightningApp(Flow()).state) == {
        "vars": {"count": 1},
        "works": {"work": {"vars": {"loss": 0.5}}},
    }


def test_the_app_made_last_is_the_current_one() -> None:
    app = LightningApp(Flow())

    assert _LightningAppRef.get_current() is app
    assert _LightningAppRef._app_instance is app  # type: ignore[comparison-overlap]


def test_the_logger_writes_on_stderr_and_fills_in_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Logger(__name__)

    logger.info("x is %s of %d", 1, 2)
    logger.warn("100%")
    logger.debug("unseen")

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["INFO: x is 1 of 2", "WARNING: 100%"]


def test_a_context_may_be_set_either_way() -> None:
    legacy._set_context("work")
    with legacy._set_context("flow"):
        pass


def test_there_is_no_cloud_and_its_names_say_so() -> None:
    assert not legacy.is_running_in_cloud()
    with pytest.raises(legacy.CloudOnly, match="_get_project"):
        legacy._get_project(None)
    with pytest.raises(RuntimeError, match="LightningClient"):
        legacy.LightningClient(retry=False)


def test_a_free_port_is_a_port() -> None:
    assert 1024 <= legacy.find_free_network_port() < 65536


def test_runtime_types_have_their_values() -> None:
    assert [kind.value for kind in legacy.RuntimeType] == ["multiprocess", "cloud"]


def test_what_is_required_is_asked_for_at_the_call() -> None:
    @legacy_packages.requires(["surely_not_installed", "json", "nor.this"])
    def fetch() -> int:
        """Fetch it."""
        return 1

    assert fetch.__doc__ == "Fetch it."
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'surely_not_installed' 'nor\.this'"):
        fetch()
    assert legacy_packages.requires("json")(lambda: 2)() == 2


def test_packages_are_looked_for_without_importing_them() -> None:
    asked = [value for name, value in vars(legacy_packages).items() if name.startswith("_is_")]

    assert len(asked) == 16
    assert all(isinstance(available(), bool) for available in asked)
