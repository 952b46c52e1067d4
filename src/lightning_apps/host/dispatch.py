"""Brings the processes of an app to life: host, keeper and zygote, as settings say.  Knows nothing of what they do."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from ..base import settings as all_settings
from ..base.errors import UnknownEngine, UsageError
from ..base.log import Log
from ..base.settings import Settings
from ..engines.channel import Channel, Failed
from ..engines.inline import InlineEngine
from ..engines.local import LocalEngine
from ..model.app import LightningApp
from ..ports import Engine
from ..worker import placed
from ..worker.rehearsal import rehearse
from ..worker.surroundings import LOAD_LOG, output_to
from . import distant, zygote
from .afterwards import code_of, tell_how_to_go_on
from .host import Host
from .keeper import Keeper
from .loader import load_app, loaded_app
from .run_folder import RunFolder, of_settings
from .starter import Child
from .zygote import Bodies

ENGINES = ("local", "inline", *distant.ENGINES)
PAUSE = 0.1  # seconds between looks whether there is room on a full disk


class RunsApp(Protocol):
    """Runs an app on an engine; the exit code."""

    def __call__(self, app: LightningApp, settings: Settings, engine: Engine, folder: RunFolder, log: Log) -> int: ...


def run_host(app: LightningApp, settings: Settings, engine: Engine, folder: RunFolder, log: Log) -> int:
    """Run the app in this process."""
    return Host(app, settings, engine, folder).run()


def run_file(path: str, settings: Settings, host: RunsApp = run_host) -> int:
    """Run the app that a file builds, as its keeper; the exit code to leave with.

    Raises:
        UsageError: the app could not be loaded, or an option cannot be used.
    """
    _check(settings)
    all_settings.export({**dict(settings.env), **dict(settings.secrets)})
    _raise_file_limit()
    _print_by_line()
    folder = of_settings(settings, path, sys.argv)
    all_settings.export(all_settings.shared_for(folder.shared))
    log = _log(settings)
    if settings.engine == "inline":
        folder.write_host()
        return host(load_app(path, settings.argv), settings, InlineEngine(settings), folder, log)

    keeper = os.getpid()
    settings = distant.settled(settings, folder)
    distant.prepare(settings, folder)  # a child of this process, which ends all its children

    def run(app: LightningApp, channel: Channel) -> int:
        return _with_local(host, app, channel, settings, folder, keeper)

    def load(quiet: bool) -> LightningApp:
        with output_to(os.path.join(folder.logs, LOAD_LOG)) if quiet else contextlib.nullcontext():
            return load_app(path, settings.argv)

    bodies = Bodies(load, run, placed.main, rehearse)
    watch = Keeper(bodies, settings, log, folder.logs, None)
    code = watch.run()
    code = code_of(folder) if watch.cut_off else code
    if sys.stderr.isatty():
        tell_how_to_go_on(code, folder, path, settings.run_dir, log)
    distant.clear(settings)
    return code


def run_app(app: LightningApp, /, **options: Any) -> int:
    """Run an app within this process, which is its host; the exit code.  Leaves the process as it was.

    Args:
        app: the app; its flows can be looked at afterwards.
        options: settings by name; `host` is the server's address.
    """
    settings = all_settings.load(**options)
    _check(settings)
    with _surroundings(settings):
        return _run_here(app, settings, _main_file(), run_host)


def run_file_here(path: str, settings: Settings, host: RunsApp = run_host) -> int:
    """As `run_file`, within this process, which is left as it was: for tests."""
    _check(settings)
    with _surroundings(settings), loaded_app(path, settings.argv) as app:
        return _run_here(app, settings, path, host)


def _run_here(app: LightningApp, settings: Settings, file: str, host: RunsApp) -> int:
    folder = of_settings(settings, file, sys.argv)
    all_settings.export(all_settings.shared_for(folder.shared))
    if settings.engine == "inline":
        folder.write_host()
        return host(app, settings, InlineEngine(settings), folder, _log(settings))
    settings = distant.settled(settings, folder)
    if not zygote.safe_to_fork():
        settings = msgspec.structs.replace(settings, start_method="spawn")
    channel, keeper = _fork_keeper(app, settings, folder)
    try:
        return _with_local(host, app, channel, settings, folder, keeper, embedded=True)
    finally:
        channel.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(keeper, 0)


def _print_by_line() -> None:
    """What a flow prints is seen line by line, when piped as well; the processes of the app inherit this.

    Whole lines also where PYTHONUNBUFFERED is set: `print` would write a line and its end apart, and a work's line between.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)


def _with_local(
    host: RunsApp,
    app: LightningApp,
    channel: Channel,
    settings: Settings,
    folder: RunFolder,
    keeper: int,
    *,
    embedded: bool = False,
) -> int:
    log = _log(settings)
    _wait_for_room(folder, log)
    try:
        folder.write_host(keeper)
        return host(app, settings, _engine(channel, settings, folder, log), folder, log)
    except UsageError as error:
        if embedded:
            raise
        channel.send(Failed(str(error), error.exit_code))
        return error.exit_code


def _wait_for_room(folder: RunFolder, log: Log) -> None:
    """A host that takes over works that live does not end them because the disk is full."""
    while folder.entry() is not None and not folder.has_room():
        log.once("error", f"There is no room in {folder.path}: the flow waits until there is; works go on.")
        time.sleep(PAUSE)


def _engine(channel: Channel, settings: Settings, folder: RunFolder, log: Log) -> Engine:
    near = LocalEngine(channel, settings, log)
    return distant.engine(settings, near, folder, log) if settings.engine in distant.ENGINES else near


def _fork_keeper(app: LightningApp, settings: Settings, folder: RunFolder) -> tuple[Channel, int]:
    ours, theirs = Channel.pair()
    parent = os.getpid()

    def keep() -> int:
        ours.close()
        distant.prepare(settings, folder)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        bodies = Bodies(lambda quiet: app, _no_host, placed.main, rehearse)
        code = Keeper(bodies, settings, _log(settings), folder.logs, Child(parent, theirs)).run()
        distant.clear(settings)
        os._exit(code)  # buffers and atexit handlers are copies of the caller's

    pid = zygote.fork(keep)
    theirs.close()
    return ours, pid


def _no_host(app: LightningApp, channel: Channel) -> int:
    raise AssertionError("An embedded host is not forked.")


@contextlib.contextmanager
def _surroundings(settings: Settings) -> Iterator[None]:
    """The variables and limits of a run, put back afterwards."""
    before, limit = all_settings.environ(), resource.getrlimit(resource.RLIMIT_NOFILE)
    added = {**dict(settings.env), **dict(settings.secrets)}
    all_settings.export(added)
    _raise_file_limit()
    try:
        yield
    finally:
        all_settings.withdraw(*added, all_settings.SHARED)
        all_settings.export({name: before[name] for name in (*added, all_settings.SHARED) if name in before})
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _check(settings: Settings) -> None:
    if settings.engine not in ENGINES:
        known = f"{', '.join(ENGINES[:-1])} and {ENGINES[-1]}"
        raise UnknownEngine(f"There is no engine {settings.engine!r} here; the engines are {known}.")


def _log(settings: Settings) -> Log:
    return Log(settings.log_level, settings.log_format, all_settings.colour_wanted(sys.stderr.isatty()))


def _main_file() -> str:
    """The script that is being run, if this interpreter runs one."""
    path = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    return os.path.abspath(path) if path else ""
