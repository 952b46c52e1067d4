"""What a fresh worker's process does to itself before it is one.  Knows nothing of works."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ..base import settings
from ..base.errors import WrongPlace
from ..engines import process_tree
from ..ports import Placement

LOAD_LOG = "load.log"  # beside the output of works: what the app file prints when it is executed once more
RESET = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGURG, signal.SIGTSTP,
    signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip


def reset_signals() -> None:
    """Dispositions as in a process that was just executed, and none blocked; SIGPIPE stays ignored as in every Python."""
    reset_handlers()
    unblock_signals()


def reset_handlers() -> None:
    """The dispositions alone: what arrives meanwhile is kept, where all are blocked."""
    signal.set_wakeup_fd(-1)
    for number in RESET:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def unblock_signals() -> None:
    """Whatever was kept arrives now."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def detach() -> None:
    """In a forked worker, before its order is known: a session, standard streams and random numbers of its own."""
    os.setsid()
    process_tree.become_subreaper()
    reset_handlers()
    redirect("", "")
    forbid_breakpoints()
    reseed()


def settle(order: Placement) -> None:
    """Take the variables and the output that an order asks for."""
    settings.export({**order.env, process_tree.PLACE_MARK: process_tree.mark_of(order.place, order.address)})
    point(1, order.out)
    point(2, order.err)


def redirect(out: str, err: str) -> None:
    """Nothing to read; what is written goes to these files, line by line."""
    point(0, os.devnull, os.O_RDONLY)
    point(1, out)
    point(2, err)
    sys.stdin = sys.__stdin__ = _text(0, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _text(1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text(2, "w")  # type: ignore[misc]


def forbid_breakpoints() -> None:
    """`breakpoint()` is an error that says where it works, unless PYTHONBREAKPOINT or the app file says otherwise."""
    if sys.breakpointhook is sys.__breakpointhook__:
        sys.breakpointhook = _breakpoint


def _breakpoint(*args: Any, **kwargs: Any) -> Any:
    if settings.environ().get("PYTHONBREAKPOINT"):
        return sys.__breakpointhook__(*args, **kwargs)
    raise WrongPlace(
        "breakpoint() needs a terminal, and the process of a work has none: run the app with --engine inline, "
        "where works are threads of a process that has one."
    )


def point(number: int, path: str, flags: int = os.O_WRONLY | os.O_CREAT | os.O_APPEND) -> None:
    """Have a file descriptor stand for this file; "" leaves it as it is."""
    if path:
        file = os.open(path, flags, 0o600)
        os.dup2(file, number)
        os.close(file)


def _text(number: int, mode: str) -> io.TextIOWrapper:
    file = open(number, mode, buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    assert isinstance(file, io.TextIOWrapper)
    return file


@contextlib.contextmanager
def output_to(path: str) -> Iterator[None]:
    """Whatever is written meanwhile, by C code too, goes to this file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    kept = {number: os.dup(number) for number in (1, 2)}
    for number in kept:
        os.dup2(file, number)
    os.close(file)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, former in kept.items():
            os.dup2(former, number)
            os.close(former)


def reseed() -> None:
    """Two workers of one fork must not draw the same random numbers."""
    for name, attribute in (("random", "seed"), ("numpy.random", "seed")):
        module: Any = sys.modules.get(name)
        if module is not None:
            getattr(module, attribute)()


def leave(body: Callable[[], int]) -> NoReturn:
    """In a forked child: run `body`, then end as an interpreter does (threads, atexit, buffers), never returning."""
    code = 1
    try:
        code = body()
    except SystemExit as end:
        code = _exit_code(end)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(BaseException):
        getattr(threading, "_shutdown", lambda: None)()
        getattr(atexit, "_run_exitfuncs", lambda: None)()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code & 0xFF)


def _exit_code(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code
    sys.stderr.write(f"{end.code}\n")
    return 1
