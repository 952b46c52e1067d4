"""Click classes that all commands share: options in sections, our errors as one sentence.  Knows no command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..base.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
MAIN_SECTION = "Options"


class SectionOption(click.Option):
    """An option that `--help` lists under a heading of its own."""

    def __init__(self, *words: Any, section: str = MAIN_SECTION, **attributes: Any) -> None:
        super().__init__(*words, **attributes)
        self.section = section


class Command(click.Command):
    """A command whose UsageErrors become sentences and whose options stand in sections."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            click.ClickException(str(error)).show()
            ctx.exit(error.exit_code)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "section", MAIN_SECTION), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=24)


class Group(click.Group):
    """A group that understands a forgotten word, as in `lightning run app.py`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name.endswith(".py") and self.get_command(ctx, name) is None:
            raise click.UsageError(f"To run the app in `{name}` write: lightning run app {' '.join(args)}", ctx)
        return super().resolve_command(ctx, args)


def section_option(*words: str, **attributes: Any) -> Callable[[F], F]:
    """`click.option` with a `section`."""
    return click.option(*words, cls=SectionOption, **attributes)
