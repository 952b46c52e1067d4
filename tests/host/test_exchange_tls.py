"""Content between the machines of a run is encrypted, and goes to nobody who has another certificate."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_apps.base.errors import LightningError, Unreachable
from lightning_apps.base.settings import Settings
from lightning_apps.host.distant import certificate, settled
from lightning_apps.host.run_folder import RunFolder
from lightning_apps.storage.certified import Sides, sides
from lightning_apps.storage.elsewhere import NamesElsewhere
from lightning_apps.storage.exchange import Caller, Exchange
from lightning_apps.storage.fetching import Fetcher
from lightning_apps.storage.names import FILE, Entry, Names
from lightning_apps.storage.store import Store

TOKEN = b"t" * 32
SECRET = b"what nobody else may read " * 50_000


def run_sides(folder: Path) -> Sides:
    """Of a run of its own."""
    folder.mkdir()
    run = RunFolder(str(folder))
    settled(msgspec.structs.replace(Settings(), engine="ray", advertise_host="127.0.0.1"), run)
    return sides(certificate(run))


@contextmanager
def listened_to(address: str) -> Iterator[tuple[str, bytearray]]:
    """Another address that leads there, and everything that goes over the wire."""
    seen = bytearray()
    host, _, port = address.rpartition(":")

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                seen.extend(data)
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection((host, int(port)))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", seen
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    return run_sides(tmp_path_factory.mktemp("runs") / "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    return run_sides(tmp_path_factory.mktemp("runs") / "theirs")


@pytest.fixture
def there(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "there"))


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "here"))


@contextmanager
def serving(store: Store, tls: Any, names: Names | None = None) -> Iterator[str]:
    exchange = Exchange(store, TOKEN, names, tls=tls)
    yield exchange.address
    exchange.close()


def no_wait(seconds: float) -> None:
    """Time flies."""


def test_nothing_of_what_is_fetched_or_named_can_be_read_on_the_wire(
    ours: Sides, there: Store, here: Store, tmp_path: Path
) -> None:
    name, names = there.put(SECRET), Names(str(tmp_path / "names"))

    with serving(there, ours.server, names) as address, listened_to(address) as (through, seen):
        elsewhere = NamesElsewhere(through, TOKEN, tls=ours.client)
        elsewhere.put("root.secret-work", Entry("secret-name", FILE, name))
        found = elsewhere.get("root.secret-work", "secret-name")
        assert Fetcher(here, TOKEN, ours.client).fetch(name, [through])

    assert found is not None and found.content == name and here.read(name) == SECRET
    assert len(seen) > len(SECRET)
    for word in (SECRET[:26], b"secret-work", b"secret-name", name.encode(), TOKEN):
        assert word not in seen


def test_what_is_not_encrypted_would_be_noticed_by_that_test(there: Store, here: Store) -> None:
    name = there.put(SECRET)

    with serving(there, None) as address, listened_to(address) as (through, seen):
        assert Fetcher(here, TOKEN).fetch(name, [through])

    assert SECRET[:26] in seen and name.encode() in seen


def test_who_shows_another_certificate_is_told_nothing_though_it_knows_the_token(
    ours: Sides, theirs: Sides, there: Store, here: Store
) -> None:
    name = there.put(SECRET)

    with serving(there, theirs.server) as address, listened_to(address) as (through, seen):
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            Caller(through, TOKEN, ours.client)
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            Fetcher(here, TOKEN, ours.client, sleep=no_wait).fetch(name, [through])

    assert not here.has(name) and name.encode() not in seen


def test_who_does_not_encrypt_and_who_has_another_token_get_nothing(ours: Sides, there: Store) -> None:
    there.put(SECRET)

    with serving(there, ours.server) as address:
        with pytest.raises((LightningError, OSError)):
            Caller(address, TOKEN, timeout=5.0)
        with pytest.raises((LightningError, OSError)):
            Caller(address, os.urandom(32), ours.client, timeout=5.0)
