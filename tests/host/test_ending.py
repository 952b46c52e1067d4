"""How apps end: every signal, every process that can die, and what works leave behind."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

FOREVER = "while True: time.sleep(100)"
WAIT = "desk.until(lambda: False, 1e6)"  # the host of `stage` does this if it is given nothing else
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); open(place, 'w').close()\n" + FOREVER
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open("daemon.pid", "w").write(str(os.getpid()))
        while True: time.sleep(100)
    os._exit(0)
while not os.path.exists("daemon.pid"): time.sleep(0.01)
"""
EXECUTED = """
import subprocess
child = "import os, time; os.setsid(); open('executed', 'w'); time.sleep(1000)"
subprocess.Popen(["sh", "-c", f"{sys.executable} -c \\"{child}\\" &"])
while not os.path.exists("executed"): time.sleep(0.01)
"""


PORTABLE = {"portable": True}
HOST_PID = "open('host.pid', 'w').write(str(os.getpid()))\n"
UP = "open('up', 'w').close()\n" + WAIT


def test_an_app_that_stops_itself_ends_with_0_and_leaves_nothing(stage: Any) -> None:
    process = stage.app("desk.start('a', 'b')", works={"a": FOREVER, "b": FOREVER})

    assert process.wait() == 0, process.stderr
    process.assert_nothing_left(0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("embedded", [False, True])
def test_a_signal_ends_the_app_with_its_code(stage: Any, number: int, code: int, embedded: bool) -> None:
    process = stage.app("desk.start('a')\n" + UP, works={"a": FOREVER}, embedded=embedded)
    stage.until_there("up")

    process.signal(number)

    assert process.wait() == code
    process.assert_nothing_left(0)


@pytest.mark.parametrize("embedded", [False, True])
def test_ctrl_c_reaches_the_group_once_and_works_get_sigterm(stage: Any, embedded: bool) -> None:
    polite = "def leave(*_): open('left', 'w'); os._exit(0)\nsignal.signal(signal.SIGTERM, leave)\nopen(place, 'w')\n"
    process = stage.app("desk.start('a')\n" + UP, works={"a": polite + FOREVER}, embedded=embedded)
    stage.until_there("up", "root.a@1")

    process.interrupt()

    assert process.wait() == 130
    assert (stage.folder / "left").exists()
    assert "Traceback" not in process.stderr
    process.assert_nothing_left(0)


def test_a_second_ctrl_c_ends_the_grace(stage: Any) -> None:
    process = stage.app("desk.start('a')\n" + UP, works={"a": STUBBORN}, grace=1000.0)
    stage.until_there("up", "root.a@1")

    process.interrupt()
    process.interrupt()
    stage.eventually(lambda: process.interrupt() or process.process.poll() is not None)

    assert process.wait(5) == 130
    process.assert_nothing_left(0)


@pytest.mark.slow
def test_who_is_waited_for_after_ctrl_c_is_said(stage: Any) -> None:
    process = stage.app("desk.start('a')\n" + UP, works={"a": STUBBORN}, grace=1000.0)
    stage.until_there("up", "root.a@1")

    process.interrupt()

    stage.eventually(
        lambda: "Waiting for root.a to end, for 1000 s at most; Ctrl-C again ends them now." in process.stderr
    )
    process.interrupt()
    assert process.wait(5) == 130


def test_a_flow_that_swallows_the_interrupt_is_killed_by_the_second(stage: Any) -> None:
    text = "open('up', 'w').close()\nwhile True:\n  try: time.sleep(100)\n  except BaseException: open('hit', 'w')"
    process = stage.app(text, grace=1000.0)
    stage.until_there("up")

    process.interrupt()
    stage.until_there("hit")
    process.interrupt()

    assert process.wait(10) == 130
    process.assert_nothing_left(0)


@pytest.mark.parametrize("method", ["zygote", "spawn"])
def test_ctrl_c_while_the_app_file_is_executed_ends_with_130(stage: Any, method: str) -> None:
    process = stage.app(load="open('up', 'w').close()\ntime.sleep(1000)", start_method=method)
    stage.until_there("up")

    process.interrupt()

    assert process.wait(10) == 130
    assert "Traceback" not in process.stderr
    process.assert_nothing_left(0)


def test_an_app_file_that_swallows_ctrl_c_is_killed(stage: Any) -> None:
    text = "open('up', 'w').close()\nwhile True:\n  try: time.sleep(100)\n  except BaseException: pass"
    process = stage.app(load=text, grace=0.2)
    stage.until_there("up")

    process.signal(signal.SIGINT)

    assert process.wait(10) == 130
    process.assert_nothing_left(0)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(0, 300, 15))
def test_ctrl_c_at_any_moment_of_the_start_leaves_nothing(stage: Any, moment: int) -> None:
    process = stage.app("desk.start('a', 'b')\n" + WAIT, works={"a": FOREVER, "b": FOREVER})
    stage.eventually(lambda: process.process.poll() is None)
    try:
        process.process.wait(moment / 1000)
    except Exception:
        process.interrupt()

    assert process.wait(10) in (130, -signal.SIGINT, 1)  # 1: Python itself was still starting
    process.assert_nothing_left(1)


@pytest.mark.parametrize("more", [{}, PORTABLE, {"start_method": "spawn"}], ids=["linux", "portable", "spawn"])
def test_a_load_that_fails_says_its_sentence(stage: Any, more: dict[str, Any]) -> None:
    process = stage.app(load="raise UsageError('There is no app in it.')", **more)

    assert process.wait() == 1
    assert process.stderr == "Error: There is no app in it.\n"


def test_the_exit_code_of_the_app_file_is_the_apps(stage: Any) -> None:
    assert stage.app(load="sys.exit(7)").wait() == 7


def test_a_killed_host_without_a_journal_ends_all_works_and_the_app_with_1(stage: Any) -> None:
    process = stage.app("desk.start('a')\n" + HOST_PID + WAIT, works={"a": DAEMON + FOREVER}, durability="memory")
    host = stage.pid("host.pid")
    stage.pid("daemon.pid")

    os.kill(host, signal.SIGKILL)

    assert process.wait() == 1
    assert re.fullmatch(r"ERROR: .*SIGKILL.*\n", process.stderr)
    process.assert_nothing_left(0)


def test_a_host_that_leaves_without_a_word_gives_its_code(stage: Any) -> None:
    process = stage.app("desk.start('a')\nos._exit(3)", works={"a": FOREVER})

    assert process.wait() == 3
    process.assert_nothing_left(0)


@pytest.mark.parametrize("embedded", [False, True])
def test_a_killed_keeper_makes_the_host_end_everything(stage: Any, embedded: bool) -> None:
    save = "open('keeper', 'w').write(str(os.getppid()))\n"
    process = stage.app("desk.start('a')\n" + HOST_PID + UP, save, {"a": EXECUTED + STUBBORN}, embedded, grace=0.5)
    stage.until_there("up", "root.a@1")

    os.kill(stage.pid("keeper.pid") if embedded else process.pid, signal.SIGKILL)

    process.wait()
    process.assert_nothing_left(10)


def test_a_killed_zygote_is_replaced_and_its_workers_live_on(stage: Any) -> None:
    load = "open('quiet' if quiet else 'loud', 'w').close()\nopen('zygote', 'w').write(str(os.getpid()))"
    host = """
desk.start('a')
os.kill(int(open('zygote').read()), signal.SIGKILL)
desk.until(lambda: os.path.exists('quiet'))
desk.start('b')
os.kill(desk.of(type(desk.events[0]), 'a').pid, signal.SIGUSR1)
assert desk.ended('a').signal == signal.SIGUSR1
assert desk.ended('b').code == 5
"""
    process = stage.app(host, load, {"a": FOREVER, "b": "sys.exit(5)"})

    assert process.wait() == 0, process.stderr
    process.assert_nothing_left(0)


ENDS = [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT]


@pytest.mark.parametrize("method", ["zygote", "spawn"])
@pytest.mark.parametrize("number", ENDS)
def test_a_worker_killed_by_a_signal_is_seen_with_it(stage: Any, number: int, method: str) -> None:
    text = f"import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.kill(os.getpid(), {int(number)})\n"
    if number == signal.SIGINT:
        text = "signal.signal(signal.SIGINT, signal.SIG_DFL)\n" + text
    host = f"desk.start('a')\nassert desk.ended('a').signal == {int(number)}, (desk.events, open(desk.order('a').err).read())"
    process = stage.app(host, works={"a": text + FOREVER}, start_method=method)

    assert process.wait() == 0, process.stderr
    process.assert_nothing_left(0)


@pytest.mark.parametrize("text", ["os._exit(9)", "sys.exit(9)"])
def test_a_worker_that_exits_is_seen_with_its_code(stage: Any, text: str) -> None:
    assert stage.app("desk.start('a'); assert desk.ended('a').code == 9", works={"a": text}).wait() == 0


@pytest.mark.parametrize("left", [DAEMON, EXECUTED], ids=["daemon", "executed"])
@pytest.mark.parametrize("end", [FOREVER, "os._exit(0)", "os.kill(os.getpid(), 9)"], ids=["stopped", "exits", "killed"])
def test_what_a_worker_started_goes_with_it(stage: Any, left: str, end: str) -> None:
    host = "desk.start('a')\n" + ("desk.until(lambda: os.path.exists('go'))\ndesk.engine.stop('root.a@1', 5)\n")
    host = host if end == FOREVER else "desk.start('a')\n"
    process = stage.app(host + "desk.ended('a')\n" + UP, works={"a": left + "open('go', 'w')\n" + end})
    stage.until_there("up")

    stage.eventually(lambda: len(process.living()) == 4, what=process.report)  # keeper, zygote, host, spare

    process.signal(signal.SIGTERM)
    assert process.wait() == 143
    process.assert_nothing_left(0)


@pytest.mark.parametrize("end", [FOREVER, "os._exit(0)"], ids=["stopped", "exits"])
def test_what_a_worker_executed_goes_with_it_in_portable_ways_too(stage: Any, end: str) -> None:
    host = "desk.start('a')\n" + ("desk.until(lambda: os.path.exists('go'))\ndesk.engine.stop('root.a@1', 5)\n")
    host = host if end == FOREVER else "desk.start('a')\n"
    works = {"a": EXECUTED + "open('go', 'w')\n" + end}
    process = stage.app(host + "desk.ended('a')\n" + UP, works=works, **PORTABLE)
    stage.until_there("up")

    stage.eventually(lambda: len(process.living()) == 2, what=process.report)  # keeper, host

    process.signal(signal.SIGTERM)
    assert process.wait() == 143
    process.assert_nothing_left(0)


def test_a_daemon_of_the_app_file_lives_until_the_app_ends(stage: Any) -> None:
    process = stage.app("desk.start('a'); desk.ended('a')\n" + UP, load="import signal\n" + DAEMON, works={"a": "pass"})
    stage.until_there("up")

    stage.eventually(lambda: len(process.living()) == 5, what=process.report)  # keeper, zygote, host, spare, daemon

    process.interrupt()
    assert process.wait() == 130
    process.assert_nothing_left(0)


def test_stopping_everything_for_a_while_ends_nothing(stage: Any) -> None:
    text = "desk.start('a')\nopen('up', 'w').close()\ndesk.until(lambda: os.path.exists('go'))"
    process = stage.app(text, works={"a": "import time\n" + FOREVER})
    stage.until_there("up")

    os.killpg(process.pid, signal.SIGSTOP)  # as Ctrl-Z does; a group without a shell ignores SIGTSTP
    stage.eventually(lambda: _state(process.pid) == "T")
    os.killpg(process.pid, signal.SIGCONT)
    stage.eventually(lambda: _state(process.pid) == "S")

    stage.eventually(lambda: len(process.living()) == 5, what=process.report)  # keeper, zygote, host, worker, spare
    (stage.folder / "go").touch()
    assert process.wait() == 0
    process.assert_nothing_left(0)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
