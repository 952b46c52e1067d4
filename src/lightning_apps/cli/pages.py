"""What commands that show runs share: their options, tables, times and sizes.  Knows no command."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec

from ..base import settings as all_settings
from ..base.settings import Settings
from .commands import F, section_option

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def run_dir_option() -> Callable[[F], F]:
    """Where the runs are."""
    return section_option("--run-dir", metavar="DIR", help="Where folders of runs are (default: .lightning-runs).")


def run_option() -> Callable[[F], F]:
    """Which run, of commands whose arguments are something else."""
    return section_option(
        "--run", "run", default="last", metavar="ID", help="The run, by its id, or how it begins or ends (default: the newest)."
    )  # fmt: skip


def json_option() -> Callable[[F], F]:
    """For scripts."""
    return section_option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")


def settings_for(run_dir: str | None) -> Settings:
    """The settings of a command that looks at runs."""
    return all_settings.load(run_dir=run_dir)


def say_json(value: Any) -> None:
    """A value as JSON on stdout."""
    import json

    click.echo(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=True))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they have to be; the last may be longer than the line."""
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(heads))]
    for row in (heads, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def moment(at: float) -> str:
    """A wall time here, as people read it; empty for none."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""


def clock(at: float) -> str:
    """The time of day with milliseconds."""
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000):03d}"


def size(count: float) -> str:
    """Bytes as people read them."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.0f} {UNITS[unit]}" if unit == 0 or count >= 10 else f"{count:.1f} {UNITS[unit]}"
