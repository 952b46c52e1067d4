"""Settings: what they show of themselves."""

from __future__ import annotations

import pytest

from lightning_apps.base import settings


def test_secrets_and_variables_are_shown_by_name_only() -> None:
    shown = repr(settings.load({}, env=(("TOKEN", "open sesame"),), secrets=(("KEY", "hidden"),), grace=3.0))

    assert "open sesame" not in shown
    assert "hidden" not in shown
    assert "env=('TOKEN',), secrets=('KEY',)" in shown
    assert "grace=3.0" in shown


@pytest.mark.parametrize(
    ("given", "prefix"), [("/app", "/app"), ("app", "/app"), ("/a/b/", "/a/b"), ("/", ""), ("", ""), (None, "")]
)
def test_a_root_path_is_a_prefix_however_its_slashes_were_written(given: str | None, prefix: str) -> None:
    assert settings.as_prefix(given) == prefix
