"""What crosses the front door: headers, cookies, links; each the shortest case that shows it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.web.crossing import Door, Framing, Secrets, Smuggled, framing, inward, outward, request_head, target

WORK = Door(address="127.0.0.1:8000", base="/w/root.serve", names=("127.0.0.1:8000", "localhost:8000"))
PAGE = Door(address="unix:/x", base="/f/root.page", inside="/f/root.page")
SECRETS = Secrets(cookies=frozenset({"lightning"}), bearer=True, query=frozenset({"token"}))


def scope(*headers: tuple[bytes, bytes], query: bytes = b"") -> dict[str, Any]:
    return {
        "method": "GET", "scheme": "http", "headers": [(b"host", b"app.example:7501"), *headers],
        "client": ("10.0.0.9", 4), "query_string": query,
    }  # fmt: skip


def inside(*headers: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    return dict(inward(scope(*headers), WORK, SECRETS))


def outside(*headers: tuple[bytes, bytes], door: Door = WORK, status: int = 200) -> list[tuple[bytes, bytes]]:
    return outward(status, list(headers), scope(), door, SECRETS)


def test_headers_of_one_hop_stay_there() -> None:
    got = inside(
        (b"connection", b"keep-alive, x-mine"), (b"x-mine", b"1"), (b"keep-alive", b"5"), (b"te", b"trailers"),
        (b"proxy-authorization", b"x"), (b"upgrade", b"h2c"), (b"accept", b"*/*"),
    )  # fmt: skip

    assert set(got) == {
        b"host", b"accept", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix"
    }  # fmt: skip


def test_a_connection_header_cannot_take_away_what_an_answer_depends_on() -> None:
    got = inside((b"connection", b"host, cookie, close"), (b"cookie", b"a=1"))

    assert got[b"cookie"] == b"a=1"
    assert got[b"host"] == b"app.example:7501"


def test_the_server_inside_is_told_who_asked_and_under_which_name() -> None:
    got = inside((b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-host", b"evil.example"), (b"forwarded", b"for=x"))

    assert got[b"x-forwarded-for"] == b"1.2.3.4, 10.0.0.9"
    assert got[b"x-forwarded-host"] == b"app.example:7501"
    assert got[b"x-forwarded-prefix"] == b"/w/root.serve"
    assert b"forwarded" not in got


def test_nobody_says_under_another_spelling_what_only_we_say() -> None:
    got = inside(
        (b"x_forwarded_for", b"1.2.3.4"), (b"content_length", b"5"), (b"x-forwarded_proto", b"https"),
        (b"transfer_encoding", b"chunked"), (b"my_own", b"1"), (b"cookie_", b"1"),
    )  # fmt: skip

    assert {name for name in got if b"_" in name} == {b"my_own", b"cookie_"}


@pytest.mark.parametrize(("said", "told"), [(b"https", b"https"), (b"http", b"http"), (b"gopher", b"http")])
def test_the_server_inside_is_told_the_scheme_that_browsers_see(said: bytes, told: bytes) -> None:
    assert inside((b"x-forwarded-proto", said))[b"x-forwarded-proto"] == told


def test_what_opens_the_app_is_not_handed_on() -> None:
    got = inside((b"cookie", b"lightning=secret; theme=dark"), (b"authorization", b"Bearer secret"))

    assert got[b"cookie"] == b"theme=dark"
    assert b"authorization" not in got
    assert target(scope(query=b"a=1&token=secret"), WORK, b"/x", SECRETS) == b"/x?a=1"
    assert b"cookie" not in inside((b"cookie", b"lightning=secret"))


def test_passwords_for_the_server_inside_are_handed_on() -> None:
    assert inside((b"authorization", b"Basic eA=="))[b"authorization"] == b"Basic eA=="


def test_a_server_that_knows_its_base_gets_whole_paths() -> None:
    assert target(scope(), PAGE, b"/a%2Fb", SECRETS) == b"/f/root.page/a%2Fb"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (b"/login?a=1#top", b"/w/root.serve/login?a=1#top"),
        (b"http://127.0.0.1:8000/x", b"/w/root.serve/x"),
        (b"http://app.example:7501/x", b"/w/root.serve/x"),
        (b"http://localhost:8000", b"/w/root.serve/"),
        (b"/w/root.serve/x", b"/w/root.serve/x"),
        (b"/w/root.server/x", b"/w/root.serve/w/root.server/x"),
        (b"next", b"next"),
        (b"https://elsewhere.example/x", b"https://elsewhere.example/x"),
        (b"http://[broken", b"http://[broken"),
    ],
)
def test_links_are_what_they_are_called_outside(link: bytes, expected: bytes) -> None:
    assert outside((b"location", link)) == [(b"location", expected)]


def test_cookies_are_held_to_their_door() -> None:
    got = outside((b"set-cookie", b"a=1; Path=/; Domain=example; HttpOnly"), (b"set-cookie", b"b=2"), door=PAGE)

    assert got == [(b"set-cookie", b"a=1; Path=/f/root.page/; HttpOnly"), (b"set-cookie", b"b=2")]


def test_a_server_inside_cannot_give_out_our_cookie_nor_take_over_the_page() -> None:
    assert (
        outside((b"set-cookie", b"lightning=x; Path=/"), (b"service-worker-allowed", b"/"), (b"alt-svc", b"h3")) == []
    )


def test_an_answer_without_a_body_has_no_length() -> None:
    assert outside((b"content-length", b"5"), (b"etag", b"1"), status=304) == [(b"etag", b"1")]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")],
        [(b"content-length", b"3"), (b"content-length", b"4")],
        [(b"content-length", b"-1")],
        [(b"content-length", b"1_0")],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity")],
    ],
)
def test_a_request_with_two_ends_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Smuggled):
        framing(headers)


@given(name=st.binary(min_size=1, max_size=9), value=st.binary(max_size=30), path=st.binary(max_size=20))
def test_a_head_is_exactly_as_many_lines_as_it_has_headers(name: bytes, value: bytes, path: bytes) -> None:
    try:
        head = request_head(scope((name.lower(), value)), WORK, b"/" + path, Framing(), SECRETS)
    except Smuggled:
        return

    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert len(lines) <= 7
    assert lines[0].split(b" ") == [b"GET", b"/" + path, b"HTTP/1.1"]
    assert head.count(b"\n") == head.count(b"\r\n") == len(lines) + 1
