"""`lightning works`: the works of a run, where each is, and how far it has got.  Knows no process but by what the run has recorded."""

from __future__ import annotations

from typing import Any

import click

from . import pages
from .commands import Command


@click.command("works", cls=Command, short_help="The works of a run: status, place, attempt.")
@click.argument("run", metavar="[RUN]", default="last")
@pages.run_dir_option()
@pages.json_option()
def works(run: str, run_dir: str | None, as_json: bool) -> None:
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
