"""Content goes from one folder to another over TCP: in pieces, on from where it broke off, never a wrong byte, never to a stranger."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.base.errors import ProtocolError, StorageError, Unreachable
from lightning_apps.storage.asking import Asking
from lightning_apps.storage.elsewhere import NamesElsewhere
from lightning_apps.storage.exchange import Caller, Exchange
from lightning_apps.storage.fetching import PIECE, Fetcher
from lightning_apps.storage.names import Entry, Names
from lightning_apps.storage.store import Store

TOKEN = b"t" * 32


@pytest.fixture
def there(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "there"))


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "here"))


@pytest.fixture
def serve(there: Store) -> Iterator[Callable[..., Exchange]]:
    """Starts exchanges, and ends them."""
    made: list[Exchange] = []

    def start(store: Store | None = None, names: Names | None = None, port: int = 0) -> Exchange:
        made.append(Exchange(store or there, TOKEN, names, port=port))
        return made[-1]

    yield start
    for each in made:
        each.close()


def no_wait(seconds: float) -> None:
    """Time flies."""


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, 3 * PIECE + 17])
def test_what_is_there_comes_here(serve: Any, there: Store, here: Store, size: int) -> None:
    data = os.urandom(size)
    name, parts = there.put(data), list[int]()

    assert Fetcher(here, TOKEN).fetch(name, [serve().address], parts.append)

    assert here.read(name) == data and sum(parts) == size
    assert os.listdir(Path(here.folder) / "incoming") == []


def test_what_nobody_has_is_not_fetched_and_who_does_not_answer_is_named(serve: Any, here: Store, there: Store) -> None:
    name = Store(here.folder + "-other").put(b"x")
    address = serve().address
    with socket.create_server(("127.0.0.1", 0)) as closed:
        silent = f"127.0.0.1:{closed.getsockname()[1]}"

    assert not Fetcher(here, TOKEN, sleep=no_wait).fetch(name, [address])
    with pytest.raises(Unreachable, match=rf"may be at {silent}, which does not answer"):
        Fetcher(here, TOKEN, sleep=no_wait).fetch(name, [silent])
    there.put(b"x")
    assert Fetcher(here, TOKEN, sleep=no_wait).fetch(name, [silent, address])


def test_who_does_not_know_the_token_gets_nothing_and_gives_nothing(serve: Any, there: Store) -> None:
    there.put(b"secret")
    address = serve().address

    with pytest.raises((ProtocolError, OSError)):
        Caller(address, b"w" * 32)
    with socket.create_server(("127.0.0.1", 0)) as liar:

        def lie() -> None:
            sock, _ = liar.accept()
            with sock:
                sock.sendall(os.urandom(16))
                sock.recv(48)
                sock.sendall(os.urandom(32))

        thread = threading.Thread(target=lie)
        thread.start()
        with pytest.raises(ProtocolError, match="does not know the token of this run"):
            Caller(f"127.0.0.1:{liar.getsockname()[1]}", TOKEN)
        thread.join()
    with pytest.raises(StorageError, match="token"):
        Exchange(there, b"short")


def test_nonsense_ends_a_conversation_and_no_other(serve: Any, there: Store, here: Store) -> None:
    name, address = there.put(b"x" * 100), serve().address
    host, _, port = address.rpartition(":")
    for nonsense in (b"", b"GET / HTTP/1.1\r\n\r\n" * 10, os.urandom(500)):
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(nonsense)
    caller = Caller(address, TOKEN)
    for question in (["size", "../../etc/passwd"], ["read", name, -5], ["put", "w", {}], ["no such"], [], ["size"]):
        with pytest.raises(StorageError):
            caller.ask(*question)
    assert caller.ask("size", name) == 100
    caller.close()

    assert Fetcher(here, TOKEN).fetch(name, [address])


def test_damaged_content_is_not_taken_from_one_and_taken_from_another(
    serve: Any, there: Store, here: Store, tmp_path: Path
) -> None:
    other = Store(str(tmp_path / "other"))
    name = other.put(b"right" * 100)
    with there.incoming(name) as target:
        os.write(target, b"wrong" * 100)
    bad, good = serve(there).address, serve(other).address

    assert not Fetcher(here, TOKEN).fetch(name, [bad]) and not here.has(name)
    assert Fetcher(here, TOKEN).fetch(name, [bad, good]) and here.read(name) == b"right" * 100


def test_what_broke_off_is_gone_on_with(serve: Any, there: Store, here: Store) -> None:
    data = os.urandom(6 * PIECE + 5)
    name, first = there.put(data), serve()
    seen = list[int]()

    def end_it(count: int) -> None:
        seen.append(count)
        if sum(seen) >= 2 * PIECE:
            first.close()

    with pytest.raises(Unreachable, match="What has come is kept, and gone on with"):
        Fetcher(here, TOKEN, sleep=no_wait).fetch(name, [first.address], end_it)
    assert not here.has(name)
    came = list[int]()
    assert Fetcher(here, TOKEN).fetch(name, [serve().address], came.append)

    assert here.read(name) == data and came[0] >= 2 * PIECE and sum(came) == len(data)


@pytest.mark.slow
def test_a_reader_killed_at_any_moment_leaves_nothing_wrong(
    serve: Any, there: Store, here: Store, eventually: Any
) -> None:
    data = os.urandom(12 * PIECE)
    name, address = there.put(data), serve().address
    script = f"""
from lightning_apps.storage.store import Store
from lightning_apps.storage.fetching import Fetcher
Fetcher(Store({here.folder!r}), {TOKEN!r}).fetch({name!r}, [{address!r}])
"""
    noted = Path(here.folder) / "incoming" / f"{name}.done"
    for pieces in (1, 4, 9):
        reader = subprocess.Popen([sys.executable, "-c", script])
        eventually(lambda n=pieces: here.has(name) or (noted.exists() and noted.stat().st_size >= 4 * n))
        reader.send_signal(signal.SIGKILL)
        reader.wait()
        assert not here.has(name) or here.check(name)

    assert Fetcher(here, TOKEN).fetch(name, [address]) and here.read(name) == data


@pytest.mark.slow
def test_many_readers_of_the_same_content_get_it_once_each_and_right(serve: Any, there: Store, here: Store) -> None:
    data = os.urandom(3 * PIECE)
    name, address = there.put(data), serve().address
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(Fetcher(here, TOKEN).fetch(name, [address]))) for _ in range(5)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [True] * 5 and here.read(name) == data


def test_names_are_asked_for_and_said_from_elsewhere(serve: Any, tmp_path: Path) -> None:
    names = Names(str(tmp_path / "names"))
    elsewhere = NamesElsewhere(Asking(serve(names=names).address, TOKEN), "10.0.0.1:5")

    elsewhere.put("root.a", Entry("out", "tree", "b3-" + "0" * 64, 5))

    found = names.get("root.a", "out")
    assert found is not None and found.homes == ["10.0.0.1:5"] and elsewhere.get("root.a", "out") == found
    assert elsewhere.get("root.a", "none") is None and elsewhere.all("root.a") == [found]
    above = elsewhere.above("root.a", "out/deep/x")
    assert above == (found, "deep/x") and elsewhere.homes(found.content)[0] == elsewhere._address
