"""`lightning works`: the works of a run, where each is, and how far it has got.  Knows no process but by what the run has recorded."""

from __future__ import annotations

from typing import Any

import click

from . import pages
from .commands import Command, Group, section_option

HELP = ("-h", "--help")


class ListsRun(Group):
    """`lightning works [RUN]` lists them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *HELP):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("works", cls=ListsRun, short_help="The works of a run: status, place, attempt.")
def works() -> None:
    """List the works of a run, or say that one which is out of sight is no more.

    `lightning works [RUN]` is `lightning works list [RUN]`.
    """


@works.command("list", cls=Command, short_help="Status, place and attempt of each (default).")
@click.argument("run", metavar="[RUN]", default="last")
@pages.run_dir_option()
@pages.json_option()
def list_(run: str, run_dir: str | None, as_json: bool) -> None:
    """List the works of a run, the newest unless RUN names another: status, call, attempt, place and process.

    A place is the work's name and the number of the process that it was given; the attempt only grows, too, and is what `self.attempt` is.
    """
    from ..host import run_catalog

    folder = run_catalog.choose(pages.settings_for(run_dir), run)
    past, lives = run_catalog.past_of(folder), folder.host_lives()
    found = [_told(name, work, lives) for name, work in sorted(past.works.items())]
    if as_json:
        pages.say_json(found)
    elif not found:
        click.echo(f"No work of the run {folder.id} has been asked for anything.", err=True)
    else:
        heads = ("work", "status", "since", "call", "attempt", "place", "pid", "why")
        rows = [[_cell(head, each[head]) for head in heads] for each in found]
        pages.table([head.upper() for head in heads], rows)


@works.command("abandon", cls=Command, short_help="Say that the process of a work is no more.")
@click.argument("name", metavar="WORK")
@section_option("--run", "run", default="", metavar="ID", help="The run (default: the only one that is going on).")
@pages.run_dir_option()
def abandon(name: str, run: str, run_dir: str | None) -> None:
    """Say that the process of WORK, whose machine is not heard any more, has ended: its call is made again elsewhere.

    Be sure of it: if the machine is only cut off, the call goes on there as well until the machine is heard again.
    """
    from ..base.errors import RunError
    from ..host import control, run_catalog

    settings = pages.settings_for(run_dir)
    folder = run_catalog.choose(settings, run) if run else run_catalog.only_living(settings)
    if not folder.host_lives():
        raise RunError(f"The run {folder.id} is not going on; take it up again with --resume {folder.id}.")
    work = run_catalog.work_named(folder, run_catalog.past_of(folder), name)
    control.ask(folder, control.Question(control.ABANDON, work))
    click.echo(f"{work} is taken for ended; its call is made again elsewhere.", err=True)


def _told(name: str, work: Any, lives: bool) -> dict[str, Any]:
    """`place` and `pid`: while its run goes on."""
    call, (stage, since, why) = work.call, work.status()
    return {
        "work": name,
        "status": stage,
        "since": since,
        "call": f"run{call.arguments}" if call is not None else "",
        "attempt": call.attempt if call is not None else 0,
        "place": work.place if lives else "",
        "pid": work.pid if lives else 0,
        "why": why,
    }


def _cell(head: str, value: Any) -> str:
    return pages.moment(value) if head == "since" else str(value or "")
