"""`lightning connect` and `disconnect`: from then on the terminal has an app's commands.  Decides whose code may run here."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from . import pages
from .commands import Command, section_option

if TYPE_CHECKING:
    from ..client.address import Address
    from ..client.remote import RemoteApp
    from ..host.run_catalog import Served

LOCAL, HOME = "localhost", "127.0.0.1"
HERE = (LOCAL, HOME, "::1")
BARE = re.compile(
    r"(?!localhost$)[\w-]*[A-Za-z_][\w-]*|\d{8}T[\w-]+", re.ASCII
)  # a word that is rather a name than an address


@click.command("connect", cls=Command, short_help="Have an app's commands in this terminal.")
@click.argument("words", nargs=-1, metavar="URL|localhost")
@section_option("--token", default="", metavar="TOKEN", help="Lets one in, where the app asks for one.")
@section_option("--trust", is_flag=True, help="Let commands run code of the app's author on this machine.")
@pages.run_dir_option()
def connect(words: tuple[str, ...], token: str, trust: bool, run_dir: str | None) -> None:
    """Connect this terminal to a running app: its commands become commands of `lightning`.

    Commands may have a part that runs on this machine.  Of your own runs here it may; of others only if you say so.
    """
    from ..base.settings import user_home
    from ..client import connections
    from ..client.address import parse
    from ..client.remote import NobodyThere, RemoteApp

    target = _target(words)
    ours = _own_ports(run_dir)
    meant = _meant(target, ours)
    address = parse(_here(ours) if meant == LOCAL else meant, token)
    known = ours.get(address.port) if address.host in HERE else None
    if known is not None:  # "localhost" may be another address than the run's, where somebody else may listen
        address = parse(f"{known.url}{address.path}", address.token or known.token, certificate=known.certificate)
    own = known is not None
    app = RemoteApp(address)
    try:
        commands = app.commands()
    except NobodyThere as failure:
        raise _did_you_mean(target, ours) if BARE.fullmatch(target) else failure from None
    code = {} if own else _trusted(app, [each for each in commands if each["client"]], trust)
    kept = connections.Connection(
        url=app.url, token=address.token, commands=commands, code=code, own=own, certificate=address.certificate
    )
    connections.save(user_home(), connections.terminal(os.getppid()), kept)
    where = "local Lightning App" if own else f"Lightning App at {app.url}"
    click.echo(f"You are connected to the {where}.")
    click.echo("The lightning CLI now responds to app commands. Use 'lightning --help' to see them.")


@click.command("disconnect", cls=Command, short_help="End what `connect` began.")
@click.argument("words", nargs=-1, metavar="")
def disconnect(words: tuple[str, ...]) -> None:
    """Have the app's commands in this terminal no longer."""
    from ..base.settings import user_home
    from ..client import connections

    if words not in ((), ("app",)):
        raise click.UsageError("lightning disconnect takes no arguments.")
    former = connections.forget(user_home(), connections.terminal(os.getppid()))
    if former is None:
        click.echo("You aren't connected to any Lightning App. Please use `lightning connect URL` to connect to one.")
    else:
        where = "local Lightning App" if former.own else f"Lightning App at {former.url}"
        click.echo(f"You are disconnected from the {where}.")


def _target(words: tuple[str, ...]) -> str:
    """The older command was `connect app NAME`."""
    rest = words[1:] if len(words) > 1 and words[0] == "app" else words
    if len(rest) > 1:
        raise click.UsageError("Name one app: lightning connect URL|localhost.")
    return rest[0] if rest else LOCAL


def _own_ports(run_dir: str | None) -> dict[int, Served]:
    """Where this user's living runs are served on this machine."""
    from ..host import run_catalog

    return run_catalog.served_here(pages.settings_for(run_dir))


def _meant(target: str, ours: dict[int, Served]) -> str:
    """A run of one's own may be called by its id, or by the name of its app where only one has it."""
    if not BARE.fullmatch(target):
        return target
    found = [served.url for served in ours.values() if target in (served.run, served.name)]
    return found[0] if len(found) == 1 else target


def _did_you_mean(target: str, ours: dict[int, Served]) -> Exception:
    """What could have been meant by a word that is neither an app here nor a machine with one."""
    from difflib import get_close_matches

    from ..base.errors import RunError

    names = sorted({word for served in ours.values() for word in (served.name, served.run) if word})
    if target in names:
        same = ", ".join(served.run for served in ours.values() if served.name == target)
        return RunError(f"More than one app that runs here is called {target!r}; name one by its id: {same}.")
    close = get_close_matches(target, [LOCAL, *names], 1, 0.6)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    running = ", ".join(f"{served.name} ({served.url})" for served in ours.values())
    known = f" Running here: {running}." if running else " No app of yours runs here."
    return RunError(f"There is no app {target!r} here, and no machine of that name serves one{hint}{known}")


def _here(ports: dict[int, Served]) -> str:
    """The app that "localhost" means: the only one that runs, or whatever is at the usual port."""
    from ..base.errors import RunError
    from ..client.address import PORT

    if len(ports) > 1 and PORT not in ports:
        known = ", ".join(f"http://{HOME}:{port} ({served.run})" for port, served in ports.items())
        raise RunError(f"More than one app is running here; name one: {known}.")
    return f"http://{HOME}:{PORT if PORT in ports or not ports else next(iter(ports))}"


def _trusted(app: RemoteApp, commands: list[dict[str, object]], trust: bool) -> dict[str, str]:
    """The digests of the files that may run here."""
    if not commands:
        return {}
    names = ", ".join(str(each["name"]) for each in commands)
    what = (
        f"{names}: a part of {'this command' if len(commands) == 1 else 'each of these commands'} is code of the app at "
        f"{app.url}, which would run on this machine with your rights.{_unguarded(app.address)}"
    )
    if not trust and sys.stdin.isatty():
        trust = click.confirm(f"{what}\nDo you trust it?", default=False, err=True)
    elif not trust:
        click.echo(f"{what} It was left out; connect with --trust to have it.", err=True)
    if not trust:
        return {}
    return {str(each["name"]): app.code(str(each["path"]))["sha256"] for each in commands}


def _unguarded(address: Address) -> str:
    if address.scheme == "https" or address.is_loopback:
        return ""
    return " The connection is not encrypted, so anybody on its way could have put other code there."
