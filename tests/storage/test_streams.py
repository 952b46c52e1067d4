"""Bytes go through a connection as they are, encrypted or not, however many; whoever hangs up or is silent is an error that says so."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_apps.base import fingerprint
from lightning_apps.base.errors import ProtocolError
from lightning_apps.storage.exchange import own_tls
from lightning_apps.storage.streams import LIMIT, PORTION, Encrypted, Stream, exactly, receive, send

Both = tuple[Stream, Stream]


def sockets() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        return near, server.accept()[0]


def plain(patience: float = 20.0) -> Both:
    near, far = sockets()
    return Stream(near, patience), Stream(far, patience)


def encrypted(patience: float = 20.0) -> Both:
    (near, far), served = sockets(), list[Stream]()
    shown = own_tls().context
    thread = threading.Thread(target=lambda: served.append(Encrypted(far, patience, shown, server=True)))
    thread.start()
    called = Encrypted(near, patience, fingerprint.calling(), server=False)
    thread.join()
    return called, served[0]


@pytest.fixture(scope="module", params=[plain, encrypted])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    pair: Both = request.param()
    yield pair
    for each in pair:
        each.close()


@pytest.fixture(params=[(plain, 0.05), (encrypted, 0.5)], ids=["plain", "encrypted"])
def hasty(request: pytest.FixtureRequest) -> Iterator[Both]:
    """With little patience, but for a handshake."""
    make, patience = request.param
    pair: Both = make(patience)
    yield pair
    for each in pair:
        each.close()


@pytest.mark.parametrize("size", [0, 1, 16384, PORTION, 3 * PORTION + 17])
def test_a_part_of_a_file_arrives_as_it_is(both: Both, tmp_path: Path, size: int) -> None:
    near, far = both
    data = os.urandom(size + 20)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as file:
        thread = threading.Thread(target=far.send_file, args=(file.fileno(), 7, size))
        thread.start()
        came = exactly(near, size)
        thread.join()

    assert came == data[7 : 7 + size]


def test_a_file_that_the_system_cannot_send_by_itself_arrives_as_well(both: Both) -> None:
    path = Path("/proc/self/environ")  # as those of some disks
    if not path.exists():
        pytest.skip("no such file here")
    data = path.read_bytes()

    with path.open("rb") as file:
        both[1].send_file(file.fileno(), 3, len(data) - 3)

    assert exactly(both[0], len(data) - 3) == data[3:]


@given(values=st.lists(st.lists(st.text(max_size=5) | st.binary(max_size=5) | st.none(), max_size=3), max_size=3))
@settings(deadline=None, max_examples=20)
def test_what_is_said_is_understood_in_order(both: Both, values: list[object]) -> None:
    near, far = both

    for value in values:
        send(near, value)

    assert [receive(far) for _ in values] == values


def test_nonsense_and_what_is_too_long_are_refused() -> None:
    near, far = plain()

    near.send((LIMIT + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolError, match="is more than"):
        receive(far)
    near.send((1).to_bytes(4, "big") + b"\xc1")
    with pytest.raises(ProtocolError, match="no message"):
        receive(far)
    near.close()
    far.close()


def test_whoever_hangs_up_or_says_nothing_is_an_error_that_says_so(hasty: Both) -> None:
    near, far = hasty

    with pytest.raises(TimeoutError, match=r"was silent for 0\.0?5 seconds"):
        exactly(far, 1)
    near.close()
    with pytest.raises(ConnectionError, match=r"hung up|reset"):
        exactly(far, 1)


def test_whoever_takes_nothing_is_silent_as_well(hasty: Both) -> None:
    with pytest.raises(TimeoutError, match="was silent"):
        hasty[0].send(memoryview(bytearray(16 << 20)))


def test_a_file_that_became_shorter_ends_the_conversation(both: Both, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"short")

    with (tmp_path / "file").open("rb") as file, pytest.raises(OSError, match="became shorter"):
        both[1].send_file(file.fileno(), 5, 6)


def test_a_handshake_with_somebody_who_does_not_encrypt_fails_on_both_sides() -> None:
    near, far = sockets()
    failed = list[OSError]()

    def serve() -> None:
        try:
            Encrypted(far, 5.0, own_tls().context, server=True)
        except OSError as error:
            failed.append(error)
        far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    other = Stream(near, 5.0)
    other.send(b"GET / HTTP/1.1\r\n\r\n" * 100)
    thread.join()
    near.close()

    assert "SSL" in str(failed[0])
