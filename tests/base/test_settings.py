"""Settings: what they show of themselves."""

from __future__ import annotations

from lightning_apps.base import settings


def test_secrets_and_variables_are_shown_by_name_only() -> None:
    shown = repr(settings.load({}, env=(("TOKEN", "open sesame"),), secrets=(("KEY", "hidden"),), grace=3.0))

    assert "open sesame" not in shown
    assert "hidden" not in shown
    assert "env=('TOKEN',), secrets=('KEY',)" in shown
    assert "grace=3.0" in shown
