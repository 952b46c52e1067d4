"""Who may enter: decided from what a request says of itself."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.web.access import (
    COMPONENT,
    FORWARDED,
    OPERATOR,
    VIEWER,
    Access,
    Asking,
    component_token,
    cookie_of,
    decide,
    may,
    name_of,
    operator_token,
    same_origin,
    scope_of_token,
    viewer_token,
    without_cookie,
)

HERE = {"host": "127.0.0.1:7501"}
KEY = b"k" * 32
LOCAL = Access(operator_token(KEY), KEY, cookie="lightning_7501")
OPEN = LOCAL._replace(everybody=True, any_name=True)
PROXIED = LOCAL._replace(names=frozenset({"apps.example.com"}))
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def ask(
    headers: dict[str, str], method: str = "GET", scheme: str = "http", path: str = "/api/v1/state", shown: str = ""
) -> Asking:
    return Asking(scheme, method, path, headers, shown)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# on loopback ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7501", "localhost:7501", "LOCALHOST", "127.0.0.2:7501", "[::1]:80", "localhost.:9"]
)
def test_programs_on_this_machine_enter(host: str) -> None:
    assert decide(LOCAL, ask({"host": host}, "POST")).status == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "127.0.0.1.evil.example", "127.evil", "1127.0.0.1", "127.0.0.1.1", "", "localhost@evil.example", "[::2]:80",
    ],
)  # fmt: skip
def test_other_names_are_not_served_whatever_they_resolve_to(host: str) -> None:
    assert decide(LOCAL, ask({"host": host, **bearer(LOCAL.operator)})).status in (400, 421)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80@evil.example", "127.0.0.1:7501/x", "localhost:80:80", "[::1]x", "a b", "localhost:x", "[1"]
)
def test_a_host_that_is_none_is_refused_whatever_it_begins_with(host: str) -> None:
    for rules in (LOCAL, OPEN):
        assert decide(rules, ask({"host": host, **bearer(rules.operator)})).status == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:7501", "http://127.0.0.1:7502", ""]
)
def test_a_page_from_elsewhere_is_turned_away(origin: str) -> None:
    for scheme in ("http", "ws"):
        assert decide(LOCAL, ask({**HERE, "origin": origin}, scheme=scheme)).status == 403
        assert decide(OPEN, ask({**HERE, "origin": origin, **bearer(OPEN.operator)}, scheme=scheme)).status == 403


def test_a_page_of_ours_may_do_everything() -> None:
    own = {**HERE, "origin": "http://127.0.0.1:7501"}

    assert decide(LOCAL, ask(own, scheme="ws")).status == 0
    assert decide(LOCAL, ask({**own, "sec-fetch-site": "same-origin"}, "POST")).status == 0


def test_a_link_may_lead_here_and_nothing_else() -> None:
    link = {**HERE, **LINK}

    assert decide(LOCAL, ask(link)).status == 0
    assert decide(LOCAL, ask(link, "POST")).status == 403
    assert decide(LOCAL, ask({**link, "sec-fetch-dest": "iframe"})).status == 403
    assert decide(LOCAL, ask({**link, "sec-fetch-mode": "no-cors"})).status == 403


@pytest.mark.parametrize("header", FORWARDED)
def test_what_comes_through_a_proxy_is_not_from_this_machine(header: str) -> None:
    assert decide(LOCAL, ask({**HERE, header: "1.2.3.4"})).status == 401
    assert decide(LOCAL, ask({**HERE, header: "1.2.3.4", **bearer(LOCAL.operator)})).status == 0


@pytest.mark.parametrize("header", ["x-forwarded-port", "x-forwarded-user"])
def test_whatever_is_forwarded_was_forwarded_by_somebody(header: str) -> None:
    assert decide(LOCAL, ask({**HERE, header: "x"})).status == 401


# elsewhere ------------------------------------------------------------------------------------------------------------


def test_elsewhere_a_token_is_needed_even_on_this_machine() -> None:
    assert decide(OPEN, ask(HERE)).status == 401
    assert decide(OPEN, ask({"host": "192.168.0.5:7501"})).status == 401
    assert decide(OPEN, ask({"host": "192.168.0.5:7501", **bearer(OPEN.operator)})) == (0, "", OPERATOR)


@pytest.mark.parametrize("host", ["apps.example.com", "APPS.example.com:443"])
def test_a_name_that_was_allowed_needs_a_token(host: str) -> None:
    assert decide(PROXIED, ask({"host": host})).status == 401
    page = {"host": host, "origin": "https://apps.example.com", "cookie": f"lightning_7501={PROXIED.operator}"}
    assert decide(PROXIED, ask(page, "POST")).status == 0


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://apps.example.com", "127.0.0.1:7501", 0),  # the proxy gave it another name
        ("https://apps.example.com:8443", "apps.example.com:8443", 0),
        ("https://apps.example.com:8443", "apps.example.com", 403),  # another server of that machine
        ("http://apps.example.com:9000", "127.0.0.1:7501", 403),
        ("https://other.example.com:444", "apps.example.com", 0),  # said to be ours, with its port
        ("https://other.example.com", "apps.example.com", 0),
        ("ftp://apps.example.com", "apps.example.com", 403),
        ("https://apps.example.com@evil.example", "apps.example.com", 403),
    ],
)
def test_a_page_of_a_name_that_was_allowed_is_ours_on_its_own_port(origin: str, host: str, status: int) -> None:
    rules = PROXIED._replace(
        names=frozenset({"apps.example.com", "other.example.com"}), places=frozenset({"other.example.com:444"})
    )
    page = {"host": host, "origin": origin, **bearer(rules.operator)}

    assert decide(rules, ask(page, "POST")).status == status
    assert decide(rules, ask({**page, "sec-fetch-site": "same-site"}, "POST")).status == 403
    if status:
        assert "--allow-host apps.example.com:" in decide(rules, ask(page)).reason or "@" in origin or "ftp" in origin


def test_a_proxy_that_speaks_https_for_us_is_believed() -> None:
    page = {"host": "192.168.0.5", "origin": "https://192.168.0.5", **bearer(OPEN.operator)}

    assert decide(OPEN, ask(page, "POST")).status == 403
    assert decide(OPEN, ask({**page, "x-forwarded-proto": "https"}, "POST")).status == 0


@pytest.mark.parametrize(
    "how",
    [
        lambda token: ask({**HERE, **bearer(token)}),
        lambda token: ask({**HERE, "authorization": f"bearer  {token} "}),
        lambda token: ask({**HERE, "cookie": f"a=b; lightning_7501={token}; c=d"}),
        lambda token: ask(HERE, shown=token),
    ],
)
def test_a_token_comes_in_a_header_a_cookie_or_the_url(how: Any) -> None:
    assert decide(OPEN, how(OPEN.operator)).scope == OPERATOR
    assert decide(OPEN, how(viewer_token(OPEN))).scope == VIEWER
    assert decide(OPEN, how(component_token(OPEN, "root.w"))).scope == COMPONENT
    assert decide(OPEN, how("x" * 43)).status == 401


def test_a_wrong_token_is_not_made_up_for_by_a_cookie() -> None:
    headers = {**HERE, **bearer("wrong"), "cookie": f"lightning_7501={OPEN.operator}"}

    assert decide(OPEN, ask(headers)).status == 401


def test_a_password_is_as_good_as_the_token_and_is_asked_for_everywhere() -> None:
    rules = LOCAL._replace(basic="me:secret")
    right = base64.b64encode(b"me:secret").decode()

    assert decide(rules, ask(HERE)).status == 401
    assert decide(rules, ask({**HERE, "authorization": f"Basic {right}"})).scope == OPERATOR
    assert decide(rules, ask({**HERE, "authorization": "Basic bWU6d3Jvbmc="})).status == 401
    assert decide(OPEN, ask({**HERE, "authorization": "Basic Og=="})).status == 401


# scopes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "scheme", "path", "viewer", "component"),
    [
        ("GET", "http", "/api/v1/state", True, True),
        ("HEAD", "http", "/view", True, True),
        ("PATCH", "http", "/api/v1/state", False, True),
        ("POST", "http", "/command/add", False, True),
        ("GET", "http", "/api/v1/commands", True, True),
        ("GET", "http", "/api/v1/commands/train/code", False, True),
        ("GET", "http", "/f/root.page/", True, False),
        ("POST", "http", "/f/root.page/", True, False),
        ("GET", "ws", "/f/root.page/", True, False),
        ("GET", "http", "/w/root.work/", False, False),
        ("GET", "ws", "/w/work/socket", False, False),
        ("GET", "ws", "/api/v1/stream", True, True),
        ("GET", "wss", "/api/v1/ws", True, True),
        ("GET", "ws", "/anything", False, True),
        ("DELETE", "http", "/mine", False, True),
    ],
)
def test_what_each_scope_allows(method: str, scheme: str, path: str, viewer: bool, component: bool) -> None:
    asking = ask({}, method, scheme, path)

    assert may(OPERATOR, asking)
    assert may(VIEWER, asking) is viewer
    assert may(COMPONENT, asking) is component


def test_what_a_scope_does_not_allow_is_forbidden() -> None:
    verdict = decide(OPEN, ask({**HERE, **bearer(viewer_token(OPEN))}, "POST"))

    assert verdict.status == 403 and "viewer" in verdict.reason


# anything at all ------------------------------------------------------------------------------------------------------


@given(st.text())
def test_no_token_that_was_not_given_out_lets_in(text: str) -> None:
    assert not scope_of_token(OPEN, text)
    assert not scope_of_token(OPEN, f"v.{text}") and not scope_of_token(OPEN, f"c.root.{text}")
    assert not scope_of_token(Access(), text) and not scope_of_token(Access(key=KEY), operator_token(KEY) + text)


@given(st.text(), st.text())
def test_a_components_token_is_nobody_elses(one: str, other: str) -> None:
    token = component_token(OPEN, one)
    forged = f"c.{other}.{token.rpartition('.')[2]}"

    assert (scope_of_token(OPEN, forged) == COMPONENT) == (one == other and bool(one))


headers_ = st.dictionaries(
    st.sampled_from(["host", "origin", "cookie", "authorization", "sec-fetch-site", "sec-fetch-mode", *FORWARDED]),
    st.text() | st.sampled_from(["127.0.0.1", "localhost", "http://127.0.0.1", "cross-site", "Bearer ", "Basic Og=="]),
)


@given(headers_, st.sampled_from(["GET", "POST"]), st.sampled_from(["http", "ws"]), st.text())
def test_without_a_token_nobody_enters_a_server_that_asks_for_one(
    headers: dict[str, str], method: str, scheme: str, shown: str
) -> None:
    assert decide(OPEN, ask(headers, method, scheme, shown=shown)).status


@given(headers_, st.sampled_from(["GET", "POST"]), st.sampled_from(["http", "ws"]))
def test_a_foreign_origin_never_enters_whatever_else_is_said(headers: dict[str, str], method: str, scheme: str) -> None:
    foreign = {**headers, "origin": "https://evil.example"}

    for rules in (LOCAL, OPEN, PROXIED, LOCAL._replace(basic="a:b")):
        assert decide(rules, ask({**foreign, **bearer(rules.operator)}, method, scheme)).status


@given(st.text())
def test_no_host_or_origin_is_too_strange(text: str) -> None:
    assert decide(LOCAL, ask({"host": text, "origin": text})).status
    assert isinstance(name_of(text), str)
    assert not same_origin(text, "http", "127.0.0.1:7501") or text == "http://127.0.0.1:7501"


@given(st.lists(st.tuples(st.text("ab", min_size=1), st.text("xy=")), max_size=4))
def test_a_cookie_is_taken_off_and_the_others_stay(pairs: Any) -> None:
    header = "; ".join(f"{name}={value}" for name, value in [*pairs, ("mine", "1")])

    assert cookie_of(header, "mine") == "1"
    assert without_cookie(header, "mine") == "; ".join(f"{name}={value}" for name, value in pairs)
