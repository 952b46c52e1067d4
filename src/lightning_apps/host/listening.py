"""Where the workers of a run find its host, on this machine or from others.  Knows nothing of what they say."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import tempfile
from collections.abc import Callable

from ..base.messages import Report
from ..base.settings import Settings, runtime_dir
from ..wire import tls
from ..wire.hub import Hub
from ..wire.pump import Pump
from . import distant
from .run_folder import RunFolder


def hub_of(settings: Settings, folder: RunFolder, pump: Pump, report: Callable[[Report], None], generation: int) -> Hub:
    """The hub of a run's host."""
    secure = None
    if settings.link == "tls":
        context = distant.context(folder)

        def secure(sock: socket.socket) -> tls.TlsSocket:
            return tls.accept(sock, context)

    return Hub(address_of(settings, folder), pump, report, folder.secret(), generation, secure)


def address_of(settings: Settings, folder: RunFolder) -> str:
    """Where the hub listens: the same for every host of a run, so that its workers find the next one."""
    name = hashlib.blake2b(os.path.abspath(folder.path).encode(), digest_size=8).hexdigest()
    if settings.link == "tcp":
        return f"tcp:127.0.0.1:{distant.port_of(folder, 'port')}"
    if settings.link == "tls":
        return f"tls:{settings.advertise_host}:{distant.port_of(folder, 'port')}#{distant.fingerprint(folder)}"
    path = os.path.join(runtime_dir(), f"lightning-{name}.sock")
    if len(path.encode()) > 100:
        path = os.path.join(tempfile.gettempdir(), os.path.basename(path))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return f"unix:{path}"
