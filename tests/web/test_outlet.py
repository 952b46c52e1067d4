"""Whose socket is lent, and when it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lightning_apps.web.outlet import NAME, Outlet, outlet_of


def scope_with(change: Any = lambda protocol: None, **known: Any) -> dict[str, Any]:
    """The scope of a request whose connection is as it is expected, but for the change."""
    scope: dict[str, Any] = {"type": "http"}
    transport = SimpleNamespace(get_extra_info={"socket": object(), **known}.get)
    protocol = SimpleNamespace(cycle=SimpleNamespace(scope=scope, expected_content_length=0), transport=transport)
    change(protocol)
    scope["extensions"] = {NAME: Outlet(protocol, scope)}
    return scope


def test_a_plain_connection_is_lent() -> None:
    assert outlet_of(scope_with()) is not None


@pytest.mark.parametrize(
    "scope",
    [
        {"type": "http"},
        {"type": "http", "extensions": {NAME: "somebody else's"}},
        scope_with(sslcontext=object()),
        scope_with(socket=None),
        scope_with(lambda protocol: setattr(protocol, "cycle", None)),
        scope_with(lambda protocol: setattr(protocol.cycle, "scope", {})),  # a request behind this one
        scope_with(lambda protocol: delattr(protocol.cycle, "expected_content_length")),  # another uvicorn
    ],
)
def test_what_is_encrypted_or_otherwise_than_expected_is_not(scope: dict[str, Any]) -> None:
    assert outlet_of(scope) is None
