"""Settings that cannot be used are named, with what can be, whoever asked for them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from lightning_apps.base.errors import UnknownEngine, UsageError
from lightning_apps.base.settings import Settings
from lightning_apps.host.setting_checks import CHOICES, check_engine, check_settings


def test_the_defaults_pass() -> None:
    check_settings(Settings())
    check_settings(Settings(portable=True).portable_ways())


@pytest.mark.parametrize("name", CHOICES)
def test_a_word_outside_a_settings_choices_is_refused_with_them(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_settings(replace(Settings(), **{name: "zzz"}))

    assert f"LIGHTNING_{name.upper()}" in str(caught.value)
    assert all(choice in str(caught.value) for choice in CHOICES[name])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("name", "value"), [("grace", -1.0), ("orphan_limit", -0.1), ("tick", 0.0), ("port", -1)])
def test_a_number_below_its_least_is_refused(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match="or more"):
        check_settings(replace(Settings(), **{name: value}))


def test_an_unknown_engine_names_the_known_ones() -> None:
    with pytest.raises(UnknownEngine, match="local, inline"):
        check_engine("lokal")
