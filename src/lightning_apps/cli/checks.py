"""Checks what only the command line can get wrong: a port, a user and password.  Starts nothing itself."""

from __future__ import annotations

import errno

from ..base.errors import PortInUse, UsageError


class BadOption(UsageError):
    """An option of the command line has another form than this."""

    exit_code = 2


def check_port(host: str, port: int | None) -> None:
    """Raise PortInUse if that port was asked for and somebody listens there; nothing listens afterwards."""
    if not port:
        return
    import socket

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise UsageError(f"--host {host} is not an address or name of this machine.") from None
    except PermissionError:
        raise PortInUse(f"Port {port} needs rights that you do not have: choose one from 1024 upwards.") from None
    except OSError as error:
        raise _taken(host, port, error) from None


def check_basic_auth(text: str) -> None:
    """Raise BadOption unless this is `user:password`; the text itself is not repeated."""
    user, colon, password = text.partition(":")
    if text and not (user and colon and password):
        raise BadOption("--enable-basic-auth is written as USER:PASSWORD, neither of them empty.")


def _taken(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return PortInUse(f"Port {port} on {host} is in use: choose another with --port, or leave --port out.")
    return UsageError(f"--host {host} --port {port} cannot be used: {error.strerror}.")
