"""`lightning ls`, `cp`, `cat` and `rm`: the files of a run, while it goes on and afterwards."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from . import pages
from .commands import Command


@click.command("ls", cls=Command, short_help="List files of a run.")
@click.argument("where", metavar="[[RUN:]COMPONENT[/PATH]]", default="")
@pages.run_dir_option()
@pages.json_option()
def ls(where: str, run_dir: str | None, as_json: bool) -> None:
    """List what works have handed over, and what is in drives.

    COMPONENT is a work, as `train` or `root.train`, or a drive, as `lit://models`.  RUN is the only run that is going on,
    or the newest.
    """
    from ..host.run_files import RunFiles

    place = _address(run_dir, where)
    found = _told(lambda: RunFiles(place.folder).listing(place))
    if as_json:
        pages.say_json(found)
    elif not found:
        click.echo(f"The run {place.folder.id} has no files there.", err=True)
    else:
        rows = [(pages.size(f.size), str(f.files), pages.moment(f.at), f.kind, f.name) for f in found]
        pages.table(("SIZE", "FILES", "WHEN", "KIND", "NAME"), rows)


@click.command("cat", cls=Command, short_help="Write a file of a run to stdout.")
@click.argument("where", metavar="[RUN:]COMPONENT/PATH")
@pages.run_dir_option()
def cat(where: str, run_dir: str | None) -> None:
    """Write a file that a work has handed over, or put into a drive, to stdout."""
    from ..host.run_files import RunFiles

    place = _address(run_dir, where)

    def write() -> None:
        for chunk in RunFiles(place.folder).read(place):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    _told(write)


@click.command("cp", cls=Command, short_help="Copy files out of a run, or into one.")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@pages.run_dir_option()
def cp(source: str, target: str, run_dir: str | None) -> None:
    """Copy a file or folder from [RUN:]COMPONENT/PATH to a local path, or the other way.

    A local path begins with `.`, `/` or `~`, or has no component of the run before it.  An existing local folder is copied into.
    """
    from ..host.run_files import RunFiles

    outward = not _is_local(run_dir, source)
    if outward == (not _is_local(run_dir, target)):
        raise click.UsageError(
            "One of SOURCE and TARGET has to be a local path, which begins with `.`, `/` or `~`, and the other "
            "[RUN:]COMPONENT/PATH."
        )
    place = _address(run_dir, source if outward else target)
    files = RunFiles(place.folder)
    if outward:
        here = os.path.expanduser(target)
        if os.path.isdir(here) or target.endswith("/"):
            here = os.path.join(here, os.path.basename(place.path.rstrip("/")) or place.owner.rpartition("/")[2])
        _told(lambda: files.copy_out(place, here))
    else:
        _told(lambda: files.copy_in(os.path.expanduser(source), place))


@click.command("rm", cls=Command, short_help="Remove files of a run.")
@click.argument("places", nargs=-1, required=True, metavar="[RUN:]COMPONENT[/PATH]...")
@pages.run_dir_option()
def rm(places: tuple[str, ...], run_dir: str | None) -> None:
    """Remove what works have handed over, or put into drives, from a run."""
    from ..host.run_files import RunFiles

    for place in [_address(run_dir, each) for each in places]:
        _told(lambda place=place: RunFiles(place.folder).remove(place))


def _address(run_dir: str | None, text: str) -> Any:
    from ..host.file_address import address

    return address(pages.settings_for(run_dir), text)


def _is_local(run_dir: str | None, text: str) -> bool:
    from ..base.errors import RunError
    from ..host.file_address import LIT, RUN

    if text.startswith((".", "/", "~")):
        return True
    if text.startswith(LIT) or RUN.fullmatch(text):
        return False
    try:
        return not (_address(run_dir, text).path or "/" in text or not os.path.exists(text))
    except RunError:
        return True


def _told(do: Any) -> Any:
    """An error about files is one sentence on the terminal."""
    from ..base.errors import StorageError, UsageError

    try:
        return do()
    except StorageError as error:
        raise UsageError(str(error)) from None
