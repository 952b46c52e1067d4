"""The helpers of the tests themselves: nothing that a test starts escapes them."""

from __future__ import annotations

import sys

import pytest

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("daemon", flush=True)
        time.sleep(3600)
    os._exit(0)
"""


def test_a_daemon_that_left_its_session_and_parent_is_found_and_ended(command_line, eventually):
    process = command_line.execute([sys.executable, "-c", DAEMON])
    eventually(lambda: "daemon" in process.stdout)  # it may say so when its parents are gone

    assert process.wait() == 0
    assert len(process.living()) == 1
    with pytest.raises(pytest.fail.Exception, match="no process left"):
        process.assert_nothing_left(timeout=0.05)

    process.end()
    assert process.living() == {}


def test_waiting_for_a_line_fails_at_once_when_the_process_has_ended_without(command_line):
    process = command_line.execute([sys.executable, "-c", "print('something else')"])

    with pytest.raises(AssertionError, match="something else"):
        process.wait_for("the line", timeout=3600)


def test_a_condition_that_never_holds_fails_with_what_was_waited_for(eventually):
    with pytest.raises(pytest.fail.Exception, match="the moon"):
        eventually(lambda: False, timeout=0.01, what="the moon")
