"""Where an app is, from what people type."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.client.address import BadAddress, parse

CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIUOKJLan3yW9GSskK0gBNgthQ3d9cwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDYXBwMCAXDTI2MTEyMjE1MDk1MFoYDzIxMjYxMDI5MTUwOTUw
WjAOMQwwCgYDVQQDDANhcHAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASCzxEW
y7XyzfebR5qrnWyti3JVTJJaJbGGpNSZ1UYEiYaTWrQwMhT0OyN3RMqmTXg9Jxku
YjCH2g7JqC+OJFuao1MwUTAdBgNVHQ4EFgQUuWIKErhv5FJpZjIi4lEVPPtQIw8w
HwYDVR0jBBgwFoAUuWIKErhv5FJpZjIi4lEVPPtQIw8wDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNIADBFAiBookeRjzUGabBI65pz/KGmmtJu3ZjrDupAO8AO
eg/bEwIhAJIm2beUZqbZ81qJf4Lq6YQbj8wXOMdUFVoYfeCCgL9y
-----END CERTIFICATE-----"""


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


def test_only_the_certificate_of_the_app_itself_counts_not_what_signed_it(tmp_path: Path) -> None:
    path = tmp_path / "chain.pem"
    path.write_text(f"{CERTIFICATE}\n{CERTIFICATE.replace('A', 'broken')}\n")

    context = parse("https://127.0.0.1:1", certificate=str(path)).context()

    assert context is not None
    assert len(context.get_ca_certs(binary_form=True)) == 1
    assert parse("http://127.0.0.1:1").context() is None
    with pytest.raises(BadAddress, match="cannot be read"):
        parse("https://127.0.0.1:1", certificate=str(tmp_path / "none")).context()
