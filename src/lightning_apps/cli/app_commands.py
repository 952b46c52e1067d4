"""The commands of the app that a terminal is connected to, as commands of `lightning`.  Knows how they look, not what they do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from .commands import Command, Group

if TYPE_CHECKING:
    from ..client.connections import Connection

OURS = ("connect", "disconnect", "run")  # which no app can take the place of


def connection() -> Connection | None:
    """What this terminal is connected to; costs a look at one file."""
    from ..base.settings import user_home
    from ..client import connections

    return connections.load(user_home(), connections.terminal(os.getppid()))


class ConnectedGroup(Group):
    """A group that also has the commands of the connected app; they come before its own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        connected = connection() if args and args[0] not in OURS else None
        found = connected.find(args) if connected is not None else None
        if connected is None:
            return super().resolve_command(ctx, args)
        if found is None:
            return self._ours_or_hint(ctx, args, [each["name"] for each in connected.commands])
        command, count = found
        return command["name"], _made(connected, command), args[count:]

    def _ours_or_hint(
        self, ctx: click.Context, args: list[str], names: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := _near(args, names):
                raise click.UsageError(f"No such command {args[0]!r}. (Did you mean {near!r}?)", ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        if (connected := connection()) is not None:
            with formatter.section(f"Commands of the app at {connected.url}"):
                formatter.write_dl([(each["name"], _brief(each)) for each in connected.commands])


def _near(args: list[str], names: list[str]) -> str:
    """The command of the app that these words may have been meant for: written with underscores, or only begun, or nearly right."""
    from difflib import get_close_matches
    from itertools import takewhile

    words = " ".join(takewhile(lambda word: not word.startswith("-"), args)).replace("_", " ")
    begun = [name for name in names if name == words or name.startswith(f"{words} ")]
    return next(iter(begun or get_close_matches(words, names, 1)), "")


def _made(connected: Connection, command: dict[str, Any]) -> click.Command:
    return _of_both_sides(connected, command) if command["client"] else _of_the_app(connected, command)


def _of_the_app(connected: Connection, command: dict[str, Any]) -> click.Command:
    """Its options are the parameters of the app's method."""
    from .options import options_of, request_of

    wanted = options_of(command)

    def body(**values: Any) -> None:
        query, sent = request_of(command, wanted, values)
        _show(_app(connected).call(command["path"], query, sent))

    return Command(
        command["name"],
        callback=body,
        params=[each.option for each in wanted],
        help=command["description"],
        short_help=_brief(command),
    )


def _of_both_sides(connected: Connection, command: dict[str, Any]) -> click.Command:
    """Its own code reads what stands behind its name."""

    def body(words: tuple[str, ...]) -> None:
        from ..client import foreign_code
        from ..client.remote import CommandFailed

        trusted = None if connected.own else connected.code.get(command["name"], "")
        if trusted == "":
            raise CommandFailed(
                f"A part of the command {command['name']!r} would run on this machine, and its code was not trusted: "
                f"lightning connect {connected.url} --trust."
            )
        foreign_code.run(_app(connected), command, trusted, list(words))

    return Command(
        command["name"],
        callback=body,
        params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)],
        help=command["description"],
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )


def _app(connected: Connection) -> Any:
    from ..client.address import parse
    from ..client.remote import RemoteApp

    return RemoteApp(parse(connected.url, connected.token, certificate=connected.certificate))


def _show(answer: Any) -> None:
    """Texts as they are, everything else as JSON; what answered nothing says nothing."""
    from .pages import say_json

    if isinstance(answer, str):
        click.echo(answer)
    elif answer is not None:
        say_json(answer)
    click.echo("Your command execution was successful.", err=True)


def _brief(command: dict[str, Any]) -> str:
    said = str(command["description"]).strip()
    return said.splitlines()[0] if said else ""
