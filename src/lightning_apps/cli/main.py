"""The command `lightning`: the group of all commands, and how a process of it ends.  Knows what no command does."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from .. import __version__
from .app_commands import ConnectedGroup
from .connect import connect, disconnect
from .doctor import doctor
from .files import cat, cp, ls, rm
from .remote import logs, retry, status, stop
from .run import run
from .runs import runs
from .state import fork, state, why
from .works import works

INTERRUPTED = 130


@click.group(cls=ConnectedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lightning")
def cli() -> None:
    """Run apps made of flows and works.

    A flow coordinates; works compute, each in a process of its own.
    """


COMMANDS = (
    run, status, works, logs, stop, retry, runs, why, state, fork, ls, cp, cat, rm, connect, disconnect, doctor,
)  # fmt: skip

for command in COMMANDS:
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = INTERRUPTED
    sys.exit(code)
