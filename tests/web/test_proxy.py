"""The front door with real servers on both sides: requests, uploads, streams, WebSockets, and those who misbehave."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as open_websocket

from lightning_apps.web.behind import Behind
from lightning_apps.web.crossing import Secrets
from lightning_apps.web.doors import FrontDoor
from lightning_apps.web.outlet import lending
from web.inside import Seen, Talk, front_door, inside, numbers, served

Eventually = Callable[..., Any]
SECRETS = Secrets(cookies=frozenset({"lightning"}), bearer=True, query=frozenset({"token"}))


class House:
    """A server inside behind "/w/in" (TCP) and "/f/in" (a unix socket), and ways to talk to it."""

    def __init__(self, address: str, doors: Any, seen: Seen) -> None:
        self.address, self.doors, self.seen = address, doors, seen
        host, _, port = address.rpartition(":")
        self.host, self.port = host, int(port)

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named, encode_chunked=hasattr(body, "__next__"))
        return connection.getresponse()

    def json(self, path: str, *args: Any, **headers: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask(path, *args, **headers).read())
        return found

    def raw(self, data: bytes) -> socket.socket:
        connection = socket.create_connection((self.host, self.port), timeout=20)
        connection.sendall(data)
        return connection

    def websocket(self, path: str, **options: Any) -> Any:
        return open_websocket(f"ws://{self.address}{path}", proxy=None, **options)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    seen = Seen()
    socket_path = str(tmp_path_factory.mktemp("in") / "s")
    with (
        served(inside(seen)) as tcp,
        served(inside(seen), uds=socket_path) as unix,
        front_door({"w/in": Behind(address=tcp, inside=""), "f/in": Behind(address=unix)}, SECRETS) as (address, doors),
    ):
        yield House(address, doors, seen)


@pytest.fixture
def forgetful(house: House) -> House:
    """The house, with nothing seen yet."""
    house.seen.received = 0
    house.seen.left.clear()
    return house


# -- requests ------------------------------------------------------------------------------------------------


def test_a_work_is_asked_without_its_door_and_a_page_with_it(house: House) -> None:
    assert house.json("/w/in/a%20b?x=1&token=secret")["path"] == "/a%20b"
    assert house.json("/w/in/a?x=1&token=secret")["query"] == "x=1"
    assert house.json("/f/in/a%20b")["path"] == "/f/in/a%20b"


def test_bodies_arrive_counted_and_chunked(house: House) -> None:
    assert house.json("/w/in/x", "POST", b"counted")["body"] == "counted"
    assert house.json("/f/in/x", "PUT", iter([b"chun", b"", b"ked"]))["body"] == "chunked"


def test_a_large_answer_is_whole(house: House) -> None:
    for path in ("/w/in/megabyte", "/f/in/megabyte"):
        assert house.ask(path).read() == bytes(1 << 20)


def test_long_answers_of_a_known_length_come_one_after_another_unchanged(house: House) -> None:
    connection = http.client.HTTPConnection(house.host, house.port, timeout=20)
    lengths = [3_000_000, 10, 700_000, 131_072, 5_000_000]
    for length, door in itertools.product(lengths, ("/w/in", "/f/in")):
        connection.request("GET", f"{door}/numbers?{length}")
        assert connection.getresponse().read() == numbers(length)


@pytest.mark.parametrize("loop", ["asyncio", "auto"])
def test_long_answers_out_of_tcp_stay_in_the_kernel_where_nothing_is_encrypted(house: House, loop: str) -> None:
    front = FrontDoor(house.doors)
    with served(front, http=lending(HttpToolsProtocol), loop=loop) as address:
        for path, pipes in (("/f/in/numbers?1000000", 0), ("/w/in/numbers?1000", 0), ("/w/in/numbers?1000000", 1)):
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=20) as line:
                line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                answer = http.client.HTTPResponse(line)
                answer.begin()
                assert answer.read() == numbers(int(path.rpartition("?")[2]))
            assert len(front._proxy._pipes._free) == pipes, path


def test_a_client_that_leaves_in_the_middle_of_a_long_answer_ends_it_inside(forgetful: House) -> None:
    connection = forgetful.raw(b"GET /w/in/counted-forever HTTP/1.1\r\nHost: x\r\n\r\n")
    received = 0
    while received < 1 << 20:
        received += len(connection.recv(1 << 16))
    connection.close()

    assert forgetful.seen.left.wait(10)


def test_two_requests_at_once_are_answered_in_order(house: House) -> None:
    asked = b"GET /w/in/numbers?3000000 HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /w/in/numbers?2000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    heard = b""
    with house.raw(asked) as connection:
        connection.recv(1, socket.MSG_PEEK)  # the first answer has begun
        connection.sendall(last)
        while more := connection.recv(1 << 20):
            heard += more

    _, _, rest = heard.partition(b"\r\n\r\n")
    assert rest[:3_000_000] == numbers(3_000_000)
    assert rest[3_000_000:].partition(b"\r\n\r\n")[2] == numbers(2_000_000)


def test_many_requests_share_connections(house: House, eventually: Eventually) -> None:
    connection = http.client.HTTPConnection(house.host, house.port, timeout=20)
    clients = set()
    for _ in range(20):
        connection.request("GET", "/w/in/x")
        connection.getresponse().read()
        clients.add(house.seen.scopes[-1]["client"])

    assert len(clients) == 1


def test_links_and_cookies_come_out_as_they_are_called_outside(house: House) -> None:
    answer = house.ask("/w/in/moved")

    assert answer.getheader("location") == "/w/in/login?next=1"
    assert answer.msg.get_all("set-cookie") == ["a=1; Path=/w/in/; HttpOnly", "b=2; Path=/w/in/x"]
    assert answer.getheader("service-worker-allowed") is None


def test_answers_without_a_body_are_no_trouble(house: House) -> None:
    connection = http.client.HTTPConnection(house.host, house.port, timeout=20)
    for method, path, status in [
        ("HEAD", "/w/in/megabyte", 200),
        ("GET", "/w/in/unchanged", 304),
        ("GET", "/w/in/x", 200),
    ]:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status


def test_without_the_last_slash_the_browser_is_sent_to_it(house: House) -> None:
    answer = house.ask("/w/in?a=1")

    assert (answer.status, answer.getheader("location")) == (307, "in/?a=1")


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=300), max_size=6),
    chunked=st.booleans(),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
    gives_up=st.booleans(),
)
def test_a_body_arrives_as_it_was_sent_however_it_is_cut_and_who_gives_up_hurts_nobody(
    house: House, pieces: list[bytes], chunked: bool, cuts: list[int], gives_up: bool
) -> None:
    body = b"".join(pieces)
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n" if chunked else body
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    sent = b"POST /w/in/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length + b"\r\n\r\n" + framed
    places = sorted({cut % (len(sent) + 1) for cut in cuts} | {0, len(sent)})
    if gives_up:
        places = places[:-1]

    with socket.create_connection((house.host, house.port), timeout=20) as connection:
        for begin, end in itertools.pairwise(places):
            connection.sendall(sent[begin:end])
        if not gives_up:
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert json.loads(answer.read())["body"].encode("latin-1") == body
    assert house.json("/w/in/after")["path"] == "/after"


# -- streams -------------------------------------------------------------------------------------------------


def test_events_come_as_they_are_sent_and_leaving_ends_the_server_inside(forgetful: House) -> None:
    answer = forgetful.ask("/w/in/forever")
    first = [answer.readline() for _ in range(3)]
    assert not forgetful.seen.left.is_set()
    answer.fp.raw._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    assert first == [b"data: 1\n", b"\n", b"data: 2\n"]
    assert forgetful.seen.left.wait(10)


def test_leaving_before_the_answer_has_begun_is_noticed(forgetful: House) -> None:
    connection = forgetful.raw(b"GET /w/in/silent HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.close()

    assert forgetful.seen.left.wait(10)


@pytest.mark.parametrize("what", ["flood", "counted-flood"])
def test_a_reader_that_does_not_read_holds_the_server_inside_back(
    forgetful: House, eventually: Eventually, what: str
) -> None:
    connection = forgetful.raw(f"GET /w/in/{what} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    connection.recv(10)
    seen = [-1, 0]

    def stalled() -> bool:
        threading.Event().wait(0.2)
        seen[:] = seen[1], forgetful.seen.received
        return seen[0] == seen[1]

    eventually(stalled, 20)
    assert forgetful.seen.received < 64 << 20  # of 128 MiB
    connection.close()
    assert forgetful.seen.left.wait(10)


def test_a_server_inside_that_does_not_read_holds_the_upload_back(forgetful: House) -> None:
    connection = forgetful.raw(b"POST /w/in/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 268435456\r\n\r\n")
    connection.settimeout(2)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 256 << 20:
            sent += connection.send(bytes(1 << 20))

    assert sent < 128 << 20
    connection.close()


def test_an_answer_that_comes_before_the_end_of_the_upload_is_passed_on(house: House) -> None:
    connection = house.raw(b"POST /w/in/early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")

    assert connection.recv(1000).startswith(b"HTTP/1.1 413")
    connection.close()


# -- servers inside that misbehave ---------------------------------------------------------------------------


def answered_by(house: House, answer: Any, path: str = "/x") -> http.client.HTTPResponse:
    talk = Talk(answer)
    house.doors.put("w/odd", Behind(address=talk.address, inside=""))
    try:
        return house.ask(f"/w/odd{path}")
    finally:
        talk.close()
        house.doors.drop("w/odd")


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
    ],
)
def test_what_is_no_answer_becomes_a_502(house: House, said: bytes) -> None:
    answer = answered_by(house, said)

    assert answer.status == 502
    assert b"Traceback" not in answer.read()


def test_half_an_answer_is_not_passed_off_as_a_whole_one(house: House) -> None:
    answer = answered_by(house, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")

    with pytest.raises(http.client.IncompleteRead):
        answer.read()


def test_half_of_a_long_answer_is_not_passed_off_as_a_whole_one(house: House) -> None:
    answer = answered_by(house, b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + bytes(3_000_000))

    with pytest.raises(http.client.IncompleteRead):
        answer.read()


def test_an_answer_that_ends_with_its_connection_is_whole(house: House) -> None:
    assert answered_by(house, b"HTTP/1.0 200 OK\r\n\r\nall of it").read() == b"all of it"


def test_a_connection_that_was_closed_while_idle_is_not_the_clients_trouble(house: House) -> None:
    def once(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.close()  # although it had not said so

    talk = Talk(once)
    house.doors.put("w/odd", Behind(address=talk.address, inside=""))

    assert [house.ask("/w/odd/x").read() for _ in range(5)] == [b"ok"] * 5
    talk.close()


def test_what_must_not_be_said_twice_is_not(house: House) -> None:
    talk = Talk(lambda connection, head: connection.close())
    house.doors.put("w/odd", Behind(address=talk.address, inside=""))

    assert house.ask("/w/odd/x", "POST", b"pay").status == 502
    assert len(talk.heads) == 1
    talk.close()


def test_a_request_with_two_ends_is_refused(house: House) -> None:
    connection = house.raw(
        b"POST /w/in/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /w/in/y HTTP/1.1\r\n\r\n"
    )
    answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 400")
    connection.close()


def test_a_request_that_is_shorter_than_it_says_takes_nothing_of_the_next_one(house: House) -> None:
    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")  # at once, and waits for the rest
        connection.recv(1000)

    talk = Talk(answer)
    house.doors.put("w/odd", Behind(address=talk.address, inside=""))
    wish = b"POST /w/odd/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 30\r\n\r\n"

    with house.raw(wish) as connection:  # uvicorn alone takes this for a request without a body
        connection.recv(1000)
        assert house.ask("/w/odd/victim").status == 200
    assert b"GET /victim" in talk.heads[1]
    talk.close()


# -- doors ---------------------------------------------------------------------------------------------------


def test_where_nobody_is_people_get_a_page_that_looks_again_and_programs_a_sentence(house: House) -> None:
    house.doors.put("f/soon", Behind(waits="Streamlit is starting <b>."))

    page, program = house.ask("/f/soon/", accept="text/html"), house.ask("/f/soon/")

    assert (page.status, program.status) == (503, 503)
    assert b"Streamlit is starting &lt;b&gt;." in (text := page.read())
    assert b'http-equiv="refresh"' in text
    assert program.read() == b"soon: Streamlit is starting <b>.\n"
    assert house.ask("/f/nobody/").status == 404
    assert house.ask("/x/in/").status == 404


def test_a_server_that_has_gone_away_is_waited_for(house: House) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        house.doors.put("w/gone", Behind(address=f"127.0.0.1:{probe.getsockname()[1]}"))

        assert house.ask("/w/gone/").status == 503
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            house.websocket("/w/gone/")


@pytest.mark.parametrize("path", ["/w/in/../../etc", "/w/in/%2e%2e/x", "/w/in//x", "/w/in/%00", "/w/in/a%2fb"])
def test_paths_are_handed_on_as_they_are(house: House, path: str) -> None:
    assert house.json(path)["path"] == path.removeprefix("/w/in")


# -- WebSockets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["/w/in", "/f/in"])
def test_messages_go_both_ways(house: House, door: str) -> None:
    with house.websocket(f"{door}/echo") as line:
        for message in ["text", b"bytes", "x" * 300_000, ""]:
            line.send(message)
            assert line.recv(10) == message


def test_the_server_inside_chooses_the_subprotocol_and_does_not_see_our_token(house: House) -> None:
    headers = {"Cookie": "lightning=secret; a=1", "Authorization": "Bearer secret"}
    with house.websocket("/w/in/headers", subprotocols=["one", "two"], additional_headers=headers) as line:
        said = dict(json.loads(line.recv(10)))

    assert line.subprotocol == "two"
    assert said["cookie"] == "a=1"
    assert "authorization" not in said
    assert said["host"] == house.address
    assert said["x-forwarded-prefix"] == "/w/in"


def test_a_farewell_is_passed_on_with_its_code(house: House) -> None:
    with house.websocket("/w/in/farewell") as line, pytest.raises(ConnectionClosed) as farewell:
        line.recv(10)

    assert (farewell.value.rcvd.code, farewell.value.rcvd.reason) == (4001, "enough")  # type: ignore[union-attr]


def test_a_refusal_is_passed_on(house: House) -> None:
    with pytest.raises(InvalidStatus) as refused:
        house.websocket("/w/in/refuse")

    assert refused.value.response.status_code == 403


def test_a_storm_of_pings_is_answered_and_hurts_nobody(house: House) -> None:
    with house.websocket("/w/in/echo") as line:
        pongs = [line.ping(str(number)) for number in range(2000)]
        line.send("still there")
        assert line.recv(20) == "still there"
        assert all(pong.wait(20) for pong in pongs)


# -- folders -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "site"
    house.doors.put("f/site", Behind(folder=str(path)))
    yield path
    house.doors.drop("f/site")


def test_a_folder_that_is_made_later_is_waited_for(house: House, folder: Path) -> None:
    assert (first := house.ask("/f/site/", accept="text/html")).status == 503
    assert b"does not exist" in first.read()
    folder.mkdir()
    assert house.ask("/f/site/").status == 503
    (folder / "index.html").write_text("here")

    assert house.ask("/f/site/").read() == b"here"


def test_files_come_with_validators_and_in_parts(house: House, folder: Path) -> None:
    folder.mkdir()
    (folder / "a.txt").write_text("0123456789")
    (folder / "sub").mkdir()
    (folder / "sub" / "index.html").write_text("sub")

    whole = house.ask("/f/site/a.txt")
    part = house.ask("/f/site/a.txt", range="bytes=2-4")

    assert (whole.read(), part.status, part.read()) == (b"0123456789", 206, b"234")
    assert house.ask("/f/site/a.txt", if_none_match=whole.getheader("etag") or "").status == 304
    assert house.ask("/f/site/sub").getheader("location") == "sub/"
    assert house.ask("/f/site/sub/").read() == b"sub"
    assert house.ask("/f/site/a.txt", "POST").status == 405
    assert house.ask("/f/site/none").status == 404


@pytest.mark.parametrize(
    "path", ["../secret", "%2e%2e/secret", "..%2fsecret", "%00", "link", "linked/secret", "a/../../secret", "/etc/passwd",
             "..\\secret", "%5c..%5csecret", "a%00.txt", "x" * 5000]
)  # fmt: skip
def test_nothing_outside_of_the_folder_can_be_read(house: House, folder: Path, path: str) -> None:
    folder.mkdir()
    (folder.parent / "secret").write_text("secret")
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "linked").symlink_to(folder.parent)

    answer = house.ask(f"/f/site/{path}")

    assert answer.status == 404
    assert b"secret" not in answer.read()
