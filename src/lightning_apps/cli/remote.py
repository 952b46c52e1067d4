"""`lightning status`, `logs`, `stop` and `retry`: what can be done with a run from another terminal."""

from __future__ import annotations

import sys

import click

from . import pages
from .commands import Command, section_option


@click.command("status", cls=Command, short_help="How a run and its works are.")
@click.argument("run", metavar="[RUN]", default="last")
@pages.run_dir_option()
@pages.json_option()
def status(run: str, run_dir: str | None, as_json: bool) -> None:
    """Say how a run and its works are: the newest, unless RUN names another."""
    from ..host import run_catalog
    from .runs import show_run

    show_run(run_catalog.choose(pages.settings_for(run_dir), run), as_json)


@click.command("logs", cls=Command, short_help="What a run and its works have printed.")
@click.argument("words", nargs=-1, metavar="[RUN] [WORK]")
@section_option("-f", "--follow", is_flag=True, help="Go on until the run is over.")
@pages.run_dir_option()
def logs(words: tuple[str, ...], follow: bool, run_dir: str | None) -> None:
    """Print what a run, or one work of it, has printed: output on stdout, errors on stderr.

    Of a detached run it is all that its terminal would have shown, of another what its works have printed.
    """
    from ..host import outside, run_catalog

    if len(words) > 2:
        raise click.UsageError("Name at most one run and one work.")
    runs = [word for word in words if word == "last" or word[:1].isdigit()]
    works = [word for word in words if word not in runs]
    if len(runs) > 1 or len(works) > 1:
        raise click.UsageError("Name at most one run and one work.")
    folder = run_catalog.choose(pages.settings_for(run_dir), (runs or ["last"])[0])
    known = {owner for owner, _ in outside.readers(folder, "")} | {*run_catalog.logged(folder)}
    work = run_catalog.name_among(folder, known - {""}, works[0], "work") if works else ""
    many = not work and len(known) > 1
    for owner, stream, line in outside.read_along(folder, work, follow):
        shown = f"{owner} | ".encode() + line if many and owner else line
        target = sys.stderr if stream == "err" else sys.stdout
        click.echo(shown.decode(errors="replace"), file=target)


@click.command("stop", cls=Command, short_help="End a run.")
@click.argument("run", metavar="[RUN]", default="")
@pages.run_dir_option()
def stop(run: str, run_dir: str | None) -> None:
    """End a run as SIGTERM does, and return when it is over; `--resume` takes it up again.

    Without RUN it is the only one that is going on.
    """
    from ..host import outside, run_catalog

    settings = pages.settings_for(run_dir)
    folder = run_catalog.choose(settings, run) if run else run_catalog.only_living(settings)
    outside.stop(folder)
    click.echo(f"The run {folder.id} has ended.", err=True)


@click.command("retry", cls=Command, short_help="Make the failed or stopped call of a work again.")
@click.argument("name", metavar="WORK")
@section_option("--run", "run", default="", metavar="ID", help="The run (default: the only one that is going on).")
@pages.run_dir_option()
def retry(name: str, run: str, run_dir: str | None) -> None:
    """Make the last call of WORK again, which has failed or was stopped, while its app goes on."""
    from ..base.errors import RunError
    from ..base.status import WorkStageStatus as Stage
    from ..host import control, run_catalog

    settings = pages.settings_for(run_dir)
    folder = run_catalog.choose(settings, run) if run else run_catalog.only_living(settings)
    if not folder.host_lives():
        raise RunError(f"The run {folder.id} is not going on; take it up again with --resume {folder.id}.")
    past = run_catalog.past_of(folder)
    work = run_catalog.work_named(folder, past, name)
    call = past.works[work].call
    if call is None or call.stage not in (Stage.FAILED, Stage.STOPPED):
        stage = past.works[work].status()[0]
        raise RunError(f"{work} is {stage}: only a call that has failed or was stopped can be made again.")
    control.ask(folder, control.Question("retry", work))
    click.echo(f"{work} makes run{call.arguments} again.", err=True)
