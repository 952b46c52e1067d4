"""`lightning state`, `lightning why` and `lightning fork`: looking into the past of a run, and going on from there."""

from __future__ import annotations

import time
from typing import Any

import click

from . import pages
from .commands import Command, section_option

A_TURN = "TURN|TIME"
TURNS, MANY = 10_000, 40  # turns that `why` goes through, sentences it tells


@click.command("state", cls=Command, short_help="The state of a run, now or at an earlier turn.")
@click.argument("words", nargs=-1, metavar="[ID] [COMPONENT]")
@section_option("--at", metavar=A_TURN, help="After this turn, or at this time (14:05:00, 2026-01-31T14:05:00).")
@section_option(
    "--diff",
    nargs=2,
    metavar="A B",
    default=None,
    help="What differs between two turns or times; `last` is the newest.",
)
@section_option(
    "--all", "whole", is_flag=True, help="Also what the framework keeps in the state, whose names begin with _."
)
@pages.run_dir_option()
def state(
    words: tuple[str, ...], at: str | None, diff: tuple[str, str] | None, whole: bool, run_dir: str | None
) -> None:
    """Print the state of a run as JSON: its components with their attributes.

    COMPONENT, as root.train, prints only that one and what is below it.  The run may be going on, and its code need not be there.
    """
    from ..host import run_catalog

    if at and diff:
        raise click.UsageError("--at names one moment and --diff two: leave one of them out.")
    run, component = _parted(words)
    folder = run_catalog.choose(pages.settings_for(run_dir), run)
    if diff:
        moments = [run_catalog.past_of(folder, run_catalog.turn_of(folder, word)).values(whole) for word in diff]
        _say_difference(folder, component, *moments)
        return
    past = run_catalog.past_of(folder, run_catalog.turn_of(folder, at) if at else None)
    values = past.values(whole)
    if component:
        component = run_catalog.name_among(folder, values, component, "component")
    pages.say_json(_below(values, component))


def _parted(words: tuple[str, ...]) -> tuple[str, str]:
    """Ids begin with a digit or are "last", components do not."""
    if len(words) > 2:
        raise click.UsageError("Name at most one run and one component.")
    runs = [word for word in words if word == "last" or word[:1].isdigit()]
    components = [word for word in words if word not in runs]
    if len(runs) > 1 or len(components) > 1:
        raise click.UsageError("Name at most one run and one component.")
    return (runs or ["last"])[0], (components or [""])[0]


def _below(values: dict[str, Any], component: str) -> dict[str, Any]:
    return {
        name: each for name, each in values.items() if not component or f"{name}.".startswith(f"{component}.")
    }  # fmt: skip


def _say_difference(folder: Any, component: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    from ..core.past import differences
    from ..host import run_catalog

    if component:
        component = run_catalog.name_among(folder, {**before, **after}, component, "component")
    found: dict[str, Any] = {}
    for name, attribute, old, new in differences(_below(before, component), _below(after, component)):
        found.setdefault(name, {})[attribute] = {"before": old, "after": new}
    pages.say_json(found)


@click.command("why", cls=Command, short_help="Why a work ran, waits, failed, or did not run.")
@click.argument("work", metavar="WORK")
@click.argument("call", metavar="[CALL]", default="")
@section_option("--all", "whole", is_flag=True, help=f"Everything there is, not only the last {TURNS} turns.")
@pages.run_option()
@pages.run_dir_option()
def why(work: str, call: str, whole: bool, run: str, run_dir: str | None) -> None:
    """Tell why WORK ran, was cached, waits, was restarted, failed or was tried again.

    CALL is its number, or how its key begins; without one it is the call that was asked for last.
    """
    from ..base.errors import RunError
    from ..host import run_catalog

    folder = run_catalog.choose(pages.settings_for(run_dir), run)
    past = run_catalog.past_of(folder)
    name = run_catalog.work_named(folder, past, work)
    story = run_catalog.story_of(folder, past, name, *([] if whole else [TURNS]))
    found = story.find(call)
    if call and found is None:
        calls = ", ".join(map(str, list(story.calls)[-MANY:])) or "none"
        raise RunError(f"{name} has no call {call!r} in the records of the run {folder.id}; it has: {calls}.")
    click.echo(story.verdict(found, folder.host_lives(), time.time()))
    sentences = story.of(found)
    _tell(sentences if whole else sentences[-MANY:], len(sentences))
    others = [str(number) for number in story.calls if found is None or number != found.ordinal]
    if not call and others:
        click.echo(f"Its other calls: {', '.join(others[-12:])}; `lightning why {work} {others[-1]}` tells of one.")


def _tell(sentences: list[Any], known: int) -> None:
    if not sentences:
        click.echo(f"  What happened to it is not among the last {TURNS} turns, or not kept any more; see --all.")
    elif known > len(sentences):
        click.echo(f"  … {known - len(sentences)} earlier sentences; see --all")
    for sentence in sentences:
        click.echo(f"  {f'turn {sentence.turn}':<9} {pages.clock(sentence.at)}  {sentence.text}")


@click.command("fork", cls=Command, short_help="A new run that begins from an earlier turn of another.")
@click.argument("run", metavar="ID")
@section_option("--at", required=True, metavar=A_TURN, help="The turn, or time, whose state it begins from.")
@pages.run_dir_option()
def fork(run: str, at: str, run_dir: str | None) -> None:
    """Make a new run that begins from the state that the run ID had after a turn, and print its id.

    Nothing is started, and the other run stays as it is.
    """
    from ..host import run_catalog

    settings = pages.settings_for(run_dir)
    source = run_catalog.choose(settings, run)
    folder = run_catalog.fork(settings, source, run_catalog.turn_of(source, at))
    click.echo(folder.id)
    where = f" --run-dir {run_dir}" if run_dir else ""
    file = source.app_file or "FILE"
    click.echo(f"Go on from there with: lightning run app {file} --resume {folder.id}{where}", err=True)
