"""What a host needs to be reached from other machines: an address, a certificate of its own, an engine that uses them."""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from ..base import certificate
from ..base import fingerprint as fingerprints
from ..base.errors import UsageError
from ..base.log import Log
from ..base.settings import Settings
from ..engines.desk_at import DeskAt
from ..engines.local import LocalEngine
from ..model.binding import free_port
from ..ports import Engine
from .run_folder import RunFolder

if TYPE_CHECKING:
    import ssl

ENGINES = {"ray": "lightning_apps.engines.ray_launcher"}
DOCTORS = {"ray": "lightning_apps.engines.ray_look"}
PROBE = "192.0.2.1"  # TEST-NET-1 (RFC 5737): connecting a datagram socket sends nothing, it only asks for the way


def settled(settings: Settings, folder: RunFolder) -> Settings:
    """The settings of an app whose works are on other machines: links with TLS, an address, durability against power loss."""
    if settings.engine not in ENGINES:
        return settings
    address = settings.advertise_host or _own_address(settings)
    _check_ours(address)
    _certificate(folder, settings.engine)
    return msgspec.structs.replace(settings, link="tls", advertise_host=address, start_method="spawn")


def engine(settings: Settings, near: LocalEngine, folder: RunFolder, log: Log) -> Engine:
    """The engine that these settings name."""
    at = desk_at(settings, folder)
    made: Engine = _module(settings).make(settings, near, log, at, folder.path, folder.id, folder.secret())
    return made


def desk_at(settings: Settings, folder: RunFolder) -> DeskAt:
    """Where the desk of this run listens."""
    return DeskAt(str(settings.advertise_host), port_of(folder, "desk.port"), fingerprint(folder), context(folder))


def prepare(settings: Settings, folder: RunFolder) -> None:
    """Start what has to run beside the app, as a child of its keeper: a cluster of its own, if it was given none."""
    if settings.engine in ENGINES and not settings.address:
        _module(settings).start_head(folder.path)


def clear(settings: Settings) -> None:
    """The app has ended: remove what is left of a cluster of its own."""
    if settings.engine in ENGINES and not settings.address:
        _module(settings).clear()


def examine(settings: Settings) -> Iterator[tuple[str, str]]:
    """What the engine's cluster looks like from here: "ok", "note" or "bad", and a sentence, for each finding."""
    if settings.engine in ENGINES:
        try:
            host = settings.advertise_host or _own_address(settings)
        except UsageError as error:
            yield "bad", str(error)
            return
        yield from importlib.import_module(DOCTORS[settings.engine]).examine(settings.address or "", host)


def _module(settings: Settings) -> Any:
    """An engine's own module, imported when it is asked for: they bring much with them."""
    return importlib.import_module(ENGINES[settings.engine])


def _own_address(settings: Settings) -> str:
    """The address by which the cluster reaches this machine: on the way to it."""
    if not settings.address:
        return "127.0.0.1"
    host = settings.address.rpartition(":")[0].rpartition("/")[2] or PROBE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError as error:
            raise UsageError(f"There is no way from this machine to {host} ({error.strerror}).") from None
        return str(probe.getsockname()[0])


def _check_ours(address: str) -> None:
    """Said before anything starts: others are to find us there."""
    try:
        socket.create_server((address, 0)).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(
            f"This machine cannot be dialled at {address} ({why}): name an address of its own with --advertise-host."
        ) from None


def port_of(folder: RunFolder, name: str) -> int:
    """A port of this run, chosen once: a later host listens at the same one."""
    path = os.path.join(folder.path, name)
    if not os.path.exists(path):
        with open(path, "w") as file:
            file.write(str(free_port()))
    with open(path) as file:
        return int(file.read())


# the certificate -----------------------------------------------------------------------------------------------------


def _path(folder: RunFolder) -> str:
    return os.path.join(folder.path, "tls.pem")


def context(folder: RunFolder) -> ssl.SSLContext:
    """For whoever listens in this process; the key goes nowhere else."""
    return certificate.listening(_path(folder))


def fingerprint(folder: RunFolder) -> str:
    """SHA-256 of the certificate's DER form, in hex."""
    with open(_path(folder)) as file:
        return fingerprints.of(file.read())


def _certificate(folder: RunFolder, extra: str) -> None:
    """Made once per run, readable by its owner only."""
    if os.path.exists(_path(folder)):
        return
    made = certificate.make(extra)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(_path(folder), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(made)
