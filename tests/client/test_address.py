"""Where an app is, from what people type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.client.address import BadAddress, parse


@pytest.mark.parametrize(
    ("text", "url", "token"),
    [
        ("localhost", "http://localhost:7501", ""),
        ("http://127.0.0.1", "http://127.0.0.1:7501", ""),
        ("http://127.0.0.1:80", "http://127.0.0.1:80", ""),
        ("http://127.0.0.1:9000/view?token=abc", "http://127.0.0.1:9000", "abc"),
        ("gpu7:9000", "http://gpu7:9000", ""),
        ("gpu7", "http://gpu7:7501", ""),
        ("https://example.org/apps/mine/", "https://example.org:443/apps/mine", ""),
        ("http://example.org", "http://example.org:80", ""),
        ("http://[::1]:9000", "http://[::1]:9000", ""),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, url: str, token: str) -> None:
    address = parse(text)

    assert (address.url, address.token) == (url, token)
    assert parse(text, "mine").token == "mine"
    assert "abc" not in repr(address)


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "a b", "http://a:99999", "http://a@b c"])
def test_what_is_no_address_is_refused_without_its_token(text: str) -> None:
    with pytest.raises(BadAddress) as failure:
        parse(f"{text}?token=abc")

    assert "abc" not in str(failure.value)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        assert parse(text).host
    except BadAddress:
        """Refused."""
