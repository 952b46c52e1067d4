"""The reader of responses: the same whatever the cuts, as h11 reads them, and nothing that could be read in two ways."""

from __future__ import annotations

import itertools

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.web.response_reader import BadAnswer, ResponseReader

BODY = st.binary(max_size=300)


def read(data: bytes, cuts: list[int], method: str = "GET", *, ends: bool = False) -> tuple[ResponseReader, bytes]:
    reader, body = ResponseReader(method), b""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    for begin, end in itertools.pairwise(places):
        body += b"".join(reader.feed(data[begin:end]))
    if ends and not reader.done:
        reader.end()
    return reader, body


def chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


@given(pieces=st.lists(BODY, max_size=5), cuts=st.lists(st.integers(0, 4000), max_size=8), kind=st.integers(0, 2))
def test_a_body_comes_out_whole_however_it_is_framed_and_cut(pieces: list[bytes], cuts: list[int], kind: int) -> None:
    body = b"".join(pieces)
    framed = [
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
        b"Transfer-Encoding: chunked\r\n\r\n" + chunked(pieces),
        b"\r\n" + body,
    ][kind]

    reader, got = read(b"HTTP/1.1 200 OK\r\nX-A: b \r\n" + framed, cuts, ends=True)

    assert (got, reader.done, reader.status) == (body, True, 200)
    assert (b"x-a", b"b") in reader.headers
    assert reader.reusable == (kind < 2)


@given(
    status=st.sampled_from([200, 204, 304, 404, 500]),
    headers=st.lists(
        st.sampled_from([b"Content-Length: 3", b"Content-Length: 4", b"Transfer-Encoding: chunked", b"A: b", b"Connection: close"]),
        max_size=3,
    ),
    rest=st.sampled_from([b"", b"abc", b"abcd", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n", b"zz\r\n"]),
    method=st.sampled_from(["GET", "HEAD"]),
)  # fmt: skip
def test_what_is_accepted_is_read_as_h11_reads_it(status: int, headers: list[bytes], rest: bytes, method: str) -> None:
    data = b"\r\n".join([b"HTTP/1.1 %d X" % status, *headers, b"", b""]) + rest
    try:
        reader, body = read(data, [], method, ends=True)
    except BadAnswer:
        return

    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    if not reader.reusable:
        connection.receive_data(b"")
    expected = b""
    while not isinstance(event := connection.next_event(), (h11.EndOfMessage, type(h11.PAUSED), type(h11.NEED_DATA))):
        if isinstance(event, h11.Response):
            assert event.status_code == reader.status
        elif isinstance(event, h11.Data):
            expected += bytes(event.data)

    assert body == expected


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_is_no_answer(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(data, [])


def test_an_answer_that_is_cut_off_says_so() -> None:
    with pytest.raises(BadAnswer, match="in the middle"):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", [], ends=True)


def test_what_comes_before_the_answer_is_skipped_and_what_comes_after_it_spoils_the_connection() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"

    reader, body = read(early + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", [])

    assert (body, reader.done, reader.reusable) == (b"a", True, False)
