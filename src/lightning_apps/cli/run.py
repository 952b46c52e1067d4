"""`lightning run app FILE`: from words on the command line to settings, and on to the host.  Runs nothing itself."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from ..base import settings as all_settings
from ..base.log import Log
from ..base.settings import Settings
from . import checks, pairs
from .commands import Command, Group, section_option

Runner = Callable[[str, Settings], int]
SERVER, OUTPUT, OLDER = "The page of the app", "Output", "Older spellings, kept for scripts"
AS_GIVEN = (
    "name", "host", "port", "blocking", "open_ui", "engine", "address", "advertise_host",
    "tick", "run_dir", "storage", "resume", "strict", "log_level", "log_format", "log_prefix",
    "root_path", "token_file", "tls_cert", "tls_key",
)  # fmt: skip


@click.group("run", cls=Group, short_help="Run an app.")
def run() -> None:
    """Run an app."""


@run.command("app", cls=Command, short_help="Run the app that a Python file builds.")
@click.argument("file", metavar="FILE")
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
@section_option("--name", metavar="TEXT", help="What to call this run.")
@section_option(
    "--env", "env", multiple=True, metavar="KEY=VALUE", help="A variable for the app and its works (repeatable)."
)
@section_option(
    "--secret", "secret", multiple=True, metavar="KEY=NAME", help="A variable that takes the secret NAME (repeatable)."
)
@section_option(
    "--secrets-file", metavar="PATH", help="NAME=VALUE lines, readable by you alone; else the keyring, else variables."
)
@section_option(
    "--engine",
    metavar="NAME",
    help="Where works run: local, in processes of their own (default); inline, in one process for debuggers; ray, on a cluster.",
)
@section_option(
    "--address", metavar="HOST:PORT", help="The cluster to use; without it the engine starts one of this app's own."
)
@section_option("--advertise-host", metavar="ADDRESS", help="The address by which the cluster reaches this machine.")
@section_option("--run-dir", metavar="DIR", help="Where folders of runs are made (default: .lightning-runs).")
@section_option("--storage", metavar="URL", help="Keep what works hand over there as well, as s3://bucket/folder.")
@section_option(
    "--resume",
    is_flag=False,
    flag_value="last",
    metavar="[ID]",
    help="Take up the run ID again, or (without an ID) the last one of this file.",
)
@section_option(
    "--detach",
    is_flag=True,
    help="Return when the app is up, and print the id of its run; `lightning logs` and `lightning stop` reach it.",
)
@section_option("--strict", is_flag=True, help="With --resume: attributes that are gone or new are errors.")
@section_option("--tick", type=float, metavar="SECONDS", help="Run the flow this often even if nothing changed.")
@section_option(
    "-s",
    "--setup/--no-setup",
    default=False,
    help="First run the commands in the file's top comments, as `# !pip install x`.",
)
@section_option(
    "--log-level",
    section=OUTPUT,
    metavar="LEVEL",
    help="What the framework says: debug, info (default), warning, error.",
)
@section_option("--log-format", section=OUTPUT, metavar="FORMAT", help="text (default) or json.")
@section_option(
    "--log-prefix",
    section=OUTPUT,
    metavar="WHEN",
    help="A work's name before its lines: auto (default; on terminals), always, never.",
)
@section_option("--open-ui", section=SERVER, type=bool, metavar="BOOL", help="Open it in a browser (default: true).")
@section_option("--without-server", section=SERVER, is_flag=True, help="Do not serve it.")
@section_option("--host", section=SERVER, metavar="HOST", help="The address to serve it on (default: 127.0.0.1).")
@section_option(
    "--port", section=SERVER, type=click.IntRange(0, 65535), metavar="PORT", help="The port to serve it on."
)
@section_option("--root-path", section=SERVER, metavar="PATH", help="Prefix under which a proxy in front shows it.")
@section_option(
    "--allow-host",
    section=SERVER,
    multiple=True,
    metavar="NAME",
    help="A name under which it is known besides this machine's, as behind a proxy; a token is then asked for (repeatable).",
)
@section_option(
    "--token-file",
    section=SERVER,
    metavar="FILE",
    help="Holds the token that lets in (default: one is made); not asked for on 127.0.0.1.",
)
@section_option("--tls-cert", section=SERVER, metavar="FILE", help="Serve it over HTTPS, with this certificate.")
@section_option("--tls-key", section=SERVER, metavar="FILE", help="The certificate's private key.")
@section_option("--debug", section=SERVER, is_flag=True, help="Answers tell the tracebacks of what failed.")
@section_option("--enable-basic-auth", section=SERVER, metavar="USER:PASSWORD", help="Ask for a user and password.")
@section_option(
    "--blocking", section=SERVER, type=bool, metavar="BOOL", help="Wait to be started from the page (default: false)."
)
@section_option(
    "--app_args",
    "--app-args",
    "app_args",
    section=OLDER,
    multiple=True,
    metavar="TEXT",
    help="One argument of the app (repeatable); or write -- ARGS.",
)
@section_option("--no-cache", section=OLDER, is_flag=True, help="Accepted; there is no cache to leave out.")
@click.option("--cloud", is_flag=True, hidden=True)
@click.pass_context
def app(ctx: click.Context, /, file: str, args: tuple[str, ...], **options: Any) -> None:
    """Run the app that the Python file FILE builds, until it stops or you press Ctrl-C.

    Exit code: 0 after flow.stop(), 1 after a failure, 130 after Ctrl-C, 143 after SIGTERM, 2 for a mistake in this
    command.  What stands after -- is given to the app as sys.argv.
    """
    run_file = ctx.obj or _runner()
    settings = settings_of(args, options)
    interruptible()
    log = Log(settings.log_level, settings.log_format, all_settings.colour_wanted(sys.stderr.isatty()))
    prepare(file, settings, log, setup=options["setup"])
    if options["detach"]:
        file, settings = _detached(ctx, file, settings)
    ctx.exit(run_file(file, settings))


def _detached(ctx: click.Context, file: str, settings: Settings) -> tuple[str, Settings]:
    """What to run in a process away from this terminal; here it ends the command as soon as it is known how that began."""
    from ..host import outside

    pid, folder, settings = outside.detach(file, settings)
    if pid:
        ctx.exit(_began(outside.until_up(pid, folder), folder.id, os.path.join(folder.path, outside.OUTPUT)))
    return file, settings


def _began(code: int | None, run: str, output: str) -> int:
    """Tell the terminal; the exit code."""
    if code:
        with open(output, errors="replace") as file:
            click.echo(file.read(), err=True, nl=False)
        return code
    click.echo(run)
    return 0


def interruptible() -> None:
    """From here on Ctrl-C is an exception: all is imported, and what is begun may have to be ended."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def settings_of(args: tuple[str, ...], options: dict[str, Any]) -> Settings:
    """The settings that the options ask for, all checked; secrets are looked up.

    Raises:
        UsageError: an option cannot be used as it is given.
    """
    from ..host.setting_checks import check_settings

    if options["cloud"]:
        raise checks.BadOption(
            "There is no cloud to run in: leave out --cloud, or choose where works run with --engine."
        )
    checks.check_basic_auth(options["enable_basic_auth"] or "")
    env, wanted = pairs.parse_pairs("--env", options["env"]), pairs.parse_pairs("--secret", options["secret"])
    pairs.refuse_overlap(env, wanted)
    settings = all_settings.load(
        **{name: options[name] for name in AS_GIVEN},
        allow_hosts=",".join(options["allow_host"]) or None,
        basic_auth=options["enable_basic_auth"],
        tell_tracebacks=options["debug"] or None,
        with_server=not options["without_server"],
        argv=(*options["app_args"], *args),
        env=env,
        secrets=_secrets(wanted, options["secrets_file"]),
    )
    check_settings(settings)
    return settings


def prepare(file: str, settings: Settings, log: Log, *, setup: bool) -> None:
    """Everything that can fail, or has to be done, before the app's processes start."""
    from ..host import loader

    loader.find_file(file)
    checks.check_port(settings.host, settings.port)
    if setup:
        from ..host import setup_commands

        setup_commands.run_setup(file, {**all_settings.environ(), **dict(settings.env)}, log.info)


def _secrets(wanted: pairs.Pairs, secrets_file: str | None) -> pairs.Pairs:
    if not wanted and secrets_file is None:
        return ()
    return pairs.resolve_secrets(wanted, pairs.places_of_secrets(secrets_file, all_settings.environ()))


def _runner() -> Runner:
    from ..host.dispatch import run_file

    return run_file
