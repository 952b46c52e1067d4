"""Who may enter: decided from what a request says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.web.access import Access, decide, name_of, same_origin

HERE = {"host": "127.0.0.1:7501"}


@pytest.mark.parametrize("host", ["127.0.0.1:7501", "localhost:7501", "LOCALHOST", "[::1]:80", "localhost.:9"])
def test_programs_on_this_machine_enter(host: str) -> None:
    assert decide(Access(), "http", "POST", {"host": host}).status == 0


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example", "[::2]:80"])
def test_other_names_are_not_served_whatever_they_resolve_to(host: str) -> None:
    assert decide(Access(), "http", "GET", {"host": host}).status == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:7501", "http://127.0.0.1:7502", ""]
)
def test_a_page_from_elsewhere_is_turned_away(origin: str) -> None:
    for scheme in ("http", "ws"):
        assert decide(Access(), scheme, "GET", {**HERE, "origin": origin}).status == 403


def test_a_page_of_ours_may_do_everything() -> None:
    assert decide(Access(), "ws", "GET", {**HERE, "origin": "http://127.0.0.1:7501"}).status == 0
    assert (
        decide(
            Access(), "http", "POST", {**HERE, "origin": "http://127.0.0.1:7501", "sec-fetch-site": "same-origin"}
        ).status
        == 0
    )


def test_a_link_may_lead_here_and_nothing_else() -> None:
    link = {**HERE, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

    assert decide(Access(), "http", "GET", link).status == 0
    assert decide(Access(), "http", "POST", link).status == 403
    assert decide(Access(), "http", "GET", {**link, "sec-fetch-dest": "iframe"}).status == 403
    assert decide(Access(), "http", "GET", {**link, "sec-fetch-mode": "no-cors"}).status == 403


@given(st.text())
def test_no_host_or_origin_is_too_strange(text: str) -> None:
    assert decide(Access(), "http", "GET", {"host": text, "origin": text}).status
    assert isinstance(name_of(text), str)
    assert not same_origin(text, "http", "127.0.0.1:7501") or text == "http://127.0.0.1:7501"
