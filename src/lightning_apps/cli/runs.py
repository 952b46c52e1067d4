"""`lightning runs`: which runs there are, what each was, how two differ; removes those that are over."""

from __future__ import annotations

import os
from typing import Any

import click

from . import pages
from .commands import Command, Group, section_option


class ListsByDefault(Group):
    """`lightning runs` alone lists them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("runs", cls=ListsByDefault, short_help="List runs, look at them, remove them.")
def runs() -> None:
    """List the runs of apps, look at them, compare them, remove them.

    A run is named by its id, or by how its id begins or ends; `last` is the newest.
    """


@runs.command("list", cls=Command, short_help="All runs, newest first (default).")
@pages.run_dir_option()
@pages.json_option()
def list_(run_dir: str | None, as_json: bool) -> None:
    """List all runs, newest first."""
    from ..host import run_catalog
    from ..host.run_folder import base_folder

    settings = pages.settings_for(run_dir)
    found = run_catalog.summaries(settings)
    if as_json:
        pages.say_json(found)
    elif not found:
        click.echo(f"There are no runs in {base_folder(settings)}.", err=True)
    else:
        rows = [
            (r.id, pages.moment(r.started), r.state, str(r.turns), pages.size(r.size), _short(r.file)) for r in found
        ]
        pages.table(("ID", "STARTED", "STATE", "TURNS", "SIZE", "FILE"), rows)


def _short(path: str) -> str:
    """From here, where that is shorter."""
    return min(path, os.path.relpath(path), key=len) if path else ""


@runs.command("show", cls=Command, short_help="One run with its works.")
@click.argument("run", metavar="[ID]", default="last")
@pages.run_dir_option()
@pages.json_option()
def show(run: str, run_dir: str | None, as_json: bool) -> None:
    """Show one run: what was started, how it ended, where each work had got to."""
    from ..host import run_catalog

    show_run(run_catalog.choose(pages.settings_for(run_dir), run), as_json)


def show_run(folder: Any, as_json: bool) -> None:
    """A run with its works."""
    from ..core.phrases import in_words
    from ..host import provenance, run_catalog

    found, works = run_catalog.summary(folder), run_catalog.works_of(folder)
    code = run_catalog.read_json(os.path.join(folder.path, provenance.CODE))
    entry = folder.entry()
    pid = entry.pid if entry is not None and found.state == run_catalog.RUNNING else 0
    if as_json:
        pages.say_json({"run": found, "pid": pid, "works": works, "code": code})
        return
    for head, text in _heads(found, pid, code, folder.path).items():
        if text:
            click.echo(f"{head + ':':<13}{text}")
    if works:
        click.echo()
        rows = [(w.work, w.status, pages.moment(w.since), str(w.pid or ""), in_words(w.reason)) for w in works]
        pages.table(("WORK", "STATUS", "SINCE", "PID", "WHY"), rows)


def _heads(found: Any, pid: int, code: dict[str, Any], path: str) -> dict[str, str]:
    """What is said of a run; "" where there is nothing to say."""
    git = code.get("git") or {}
    return {
        "run": found.id,
        "state": found.state + (f" (process {pid})" if pid else ""),
        "file": found.file,
        "command": " ".join(found.command[1:]),
        "started": pages.moment(found.started),
        "last turn": f"{found.turns}" + (f", {pages.moment(found.changed)}" if found.changed else ""),
        "size": pages.size(found.size),
        "code": f"{git['commit'][:12]}{' and uncommitted changes' if git.get('dirty') else ''}" if git else "",
        "python": code.get("python", ""),
        "forked from": "turn {turn} of {run}".format(**found.forked_from) if found.forked_from else "",
        "folder": path,
    }


@runs.command("rm", cls=Command, short_help="Remove runs that are over.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@pages.run_dir_option()
def rm(ids: tuple[str, ...], run_dir: str | None) -> None:
    """Remove runs that are over, with all that is in their folders."""
    from ..host import run_catalog

    settings = pages.settings_for(run_dir)
    for folder in {f.id: f for f in [run_catalog.choose(settings, name) for name in ids]}.values():
        run_catalog.remove(folder)
        click.echo(folder.id)


@runs.command("prune", cls=Command, short_help="Remove all runs that are over.")
@section_option("--keep", type=click.IntRange(0), default=0, metavar="N", help="Keep the newest N of them.")
@pages.run_dir_option()
def prune(keep: int, run_dir: str | None) -> None:
    """Remove all runs that are over; those that go on stay."""
    from ..host import run_catalog

    for name in run_catalog.prune(pages.settings_for(run_dir), keep):
        click.echo(name)


@runs.command("diff", cls=Command, short_help="How two runs differ.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@pages.run_dir_option()
@pages.json_option()
def diff(a: str, b: str, run_dir: str | None, as_json: bool) -> None:
    """Compare two runs: code, packages, arguments, outcome and state."""
    from ..host import run_catalog, run_difference

    settings = pages.settings_for(run_dir)
    left, right = (run_catalog.choose(settings, name) for name in (a, b))
    found = run_difference.compare(left, right)
    if as_json:
        pages.say_json(found)
        return
    for section in run_difference.SECTIONS:
        rows = [(each.what, each.left, each.right) for each in found if each.section == section]
        if not rows:
            click.echo(f"{section}: the same")
            continue
        pages.table((f"{section}:", left.id, right.id), [(f"  {row[0]}", *row[1:]) for row in rows])
