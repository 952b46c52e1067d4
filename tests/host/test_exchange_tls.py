"""Content between the machines of a run is encrypted, goes to nobody who has another certificate, and no key travels."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from lightning_apps.base.errors import LightningError, ProtocolError, Unreachable
from lightning_apps.base.settings import Settings
from lightning_apps.host.distant import settled
from lightning_apps.host.run_folder import RunFolder
from lightning_apps.host.sharing import Sharing
from lightning_apps.ports import Placement
from lightning_apps.storage.asking import Asking
from lightning_apps.storage.elsewhere import NamesElsewhere
from lightning_apps.storage.exchange import Caller, Exchange, Tls, own_tls
from lightning_apps.storage.fetching import Fetcher
from lightning_apps.storage.names import FILE, Entry, Names
from lightning_apps.storage.store import Store

TOKEN = b"t" * 32
SECRET = b"what nobody else may read " * 50_000


@contextmanager
def listened_to(address: str) -> Iterator[tuple[str, bytearray]]:
    """Another address that leads there, and everything that goes over the wire."""
    seen = bytearray()
    where, mark, fingerprint = address.partition("#")
    host, _, port = where.rpartition(":")

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
        yield f"127.0.0.1:{server.getsockname()[1]}{mark}{fingerprint}", seen
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def tls() -> Tls:
    return own_tls()


@pytest.fixture
def there(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "there"))


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "here"))


@contextmanager
def serving(store: Store, tls: Tls | None, names: Names | None = None) -> Iterator[str]:
    exchange = Exchange(store, TOKEN, names, tls=tls)
    yield exchange.address
    exchange.close()


def no_wait(seconds: float) -> None:
    """Time flies."""


def test_nothing_of_what_is_fetched_or_named_can_be_read_on_the_wire(
    tls: Tls, there: Store, here: Store, tmp_path: Path
) -> None:
    name, names = there.put(SECRET), Names(str(tmp_path / "names"))

    with serving(there, tls, names) as address, listened_to(address) as (through, seen):
        elsewhere = NamesElsewhere(Asking(through, TOKEN))
        elsewhere.put("root.secret-work", Entry("secret-name", FILE, name))
        found = elsewhere.get("root.secret-work", "secret-name")
        assert Fetcher(here, TOKEN).fetch(name, [through])

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
    tls: Tls, there: Store, here: Store
) -> None:
    name = there.put(SECRET)

    with serving(there, own_tls()) as address, listened_to(address) as (through, seen):
        meant = f"{through.partition('#')[0]}#{tls.fingerprint}"
        with pytest.raises(ProtocolError, match="somebody else answers"):
            Caller(meant, TOKEN)
        with pytest.raises(Unreachable, match="somebody else answers"):
            Fetcher(here, TOKEN, sleep=no_wait).fetch(name, [meant])

    assert not here.has(name) and name.encode() not in seen


def test_who_does_not_encrypt_and_who_has_another_token_get_nothing(tls: Tls, there: Store) -> None:
    there.put(SECRET)

    with serving(there, tls) as address:
        with pytest.raises((LightningError, OSError)):
            Caller(address.partition("#")[0], TOKEN, timeout=0.5)
        with pytest.raises((LightningError, OSError)):
            Caller(address, os.urandom(32), timeout=5.0)


def test_an_order_for_another_machine_names_certificates_and_holds_no_key(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    settings = settled(msgspec.structs.replace(Settings(), engine="ray", advertise_host="127.0.0.1"), run)
    key = (tmp_path / "tls.pem").read_bytes()
    sharing = Sharing(settings, run)

    order = Placement(place="root.w@1", work="root.w", address="", token="", **sharing.told("root.w@1"))

    travels = msgspec.msgpack.encode(order)
    sharing.close()
    assert key.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert not any(line in travels for line in key.splitlines() if len(line) > 20)
    assert "#" in order.exchange
