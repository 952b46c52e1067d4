"""`lightning doctor`: says what this machine and environment offer to an app.  Changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

import click
import msgspec

from .. import __version__
from ..base import settings as all_settings
from ..base.settings import Settings
from .commands import Command, section_option

GOOD, NOTE, BAD = "ok", "note", "bad"
COLOURS = {GOOD: "green", NOTE: "yellow", BAD: "red"}
TRAINING_LIBRARIES = ("lightning", "pytorch-lightning", "lightning-fabric")
PR_GET_CHILD_SUBREAPER = 37


class Finding(msgspec.Struct, frozen=True):
    """One line of the report: "ok", "note" (works, in another way) or "bad" (an app cannot run), and a sentence."""

    verdict: str
    sentence: str


@click.command("doctor", cls=Command, short_help="Say what this machine offers to an app.")
@section_option("--engine", metavar="NAME", help="Also look at what this engine needs, as ray does.")
@section_option("--address", metavar="HOST:PORT", help="The cluster to look at.")
@section_option("--advertise-host", metavar="ADDRESS", help="The address by which the cluster reaches this machine.")
@click.pass_context
def doctor(ctx: click.Context, /, **options: str | None) -> None:
    """Say what this machine and environment offer to an app.

    The exit code is 1 if an app cannot run here.
    """
    colour = all_settings.colour_wanted(sys.stdout.isatty())
    findings = []
    for finding in examine(all_settings.load(None, **options)):
        findings.append(finding)
        mark = f"{finding.verdict:<5}"
        click.echo((click.style(mark, fg=COLOURS[finding.verdict]) if colour else mark) + finding.sentence)
    ctx.exit(int(any(finding.verdict == BAD for finding in findings)))


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which a person would ask."""
    import shutil

    yield _interpreter()
    yield Finding(
        GOOD, f"lightning-apps {__version__} in {os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}"
    )
    yield console_script(shutil.which("lightning"))
    yield _training_library()
    yield from _ways_of_the_system(settings)
    yield _devices(settings)
    yield run_folder(settings.run_dir or settings.home or os.getcwd())
    yield from _cluster(settings)


def console_script(path: str | None) -> Finding:
    """Whose command the word `lightning` is in this shell."""
    if path is None:
        return Finding(NOTE, "There is no command `lightning` on the PATH: `python -m lightning_apps` works as well.")
    with open(path, "rb") as file:
        text = file.read(4096)
    if b"lightning_apps" in text:
        return Finding(GOOD, f"The command `lightning` is ours: {path}")
    return Finding(NOTE, f"The command `lightning` is another program's, {path}: write `lightning_app` instead.")


def run_folder(folder: str) -> Finding:
    """Whether folders of runs can be made in `folder`, which may have to be made itself."""
    there = os.path.abspath(folder)
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK):
        return Finding(GOOD, f"Folders of runs can be written in {folder}")
    return Finding(
        BAD, f"Folders of runs cannot be written in {folder}: name another with --run-dir or LIGHTNING_RUN_DIR."
    )


def _interpreter() -> Finding:
    kind = "in a virtual environment" if sys.prefix != sys.base_prefix else "outside a virtual environment"
    return Finding(GOOD, f"Python {sys.version.split()[0]} at {sys.executable}, {kind}")


def _training_library() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in TRAINING_LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return Finding(GOOD, f"Training library: {', '.join(found) or 'not installed (apps do not need it)'}")


def _ways_of_the_system(settings: Settings) -> Iterator[Finding]:
    """The quick ways of starting and watching processes, and what stands in for each."""
    if settings.portable:
        yield Finding(NOTE, "The portable ways are used throughout (LIGHTNING_PORTABLE, or this is not Linux).")
    for what, works, instead in WAYS:
        yield Finding(GOOD, f"{what}: yes") if works() else Finding(NOTE, f"{what}: no, {instead}")


def _can_fork() -> bool:
    return hasattr(os, "fork")


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _has_subreaper() -> bool:
    import ctypes

    answer = ctypes.c_int()
    call = getattr(ctypes.CDLL(None), "prctl", None)
    return call is not None and call(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0) == 0


def _has_inotify() -> bool:
    import ctypes

    start = getattr(ctypes.CDLL(None), "inotify_init1", None)
    number = -1 if start is None else start(os.O_CLOEXEC)
    if number >= 0:
        os.close(number)
    return bool(number >= 0)


WAYS: tuple[tuple[str, Callable[[], bool], str], ...] = (
    ("Works are forked (fork)", _can_fork, "each starts a fresh interpreter"),
    ("Ends of processes are seen at once (pidfd)", _has_pidfd, "they are asked for"),
    ("Processes that works leave behind are found (subreaper)", _has_subreaper, "only those in a work's group are"),
    ("Output is followed without polling (inotify)", _has_inotify, "it is looked for twice a second"),
)


def _cluster(settings: Settings) -> Iterator[Finding]:
    from ..host import distant

    for verdict, sentence in distant.examine(settings):
        yield Finding(verdict, sentence)


def _devices(settings: Settings) -> Finding:
    from ..engines import gpus

    found = gpus.discover(settings.gpus, all_settings.environ().get("CUDA_VISIBLE_DEVICES"))
    return Finding(GOOD, f"GPUs that works can be given: {', '.join(found) or 'none'}")
