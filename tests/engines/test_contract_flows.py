"""Flows over every engine: how apps end, schedules, loops, and what a turn that fails leaves."""

from __future__ import annotations

import sys
import time

import pytest

from engines.contract import PRELUDE

ENDS = [
    ("self.stop('enough')", 0, "enough"),
    ("self.child.stop('from below')", 0, "from below"),
    ("self.fail('too bad')", 1, "too bad"),
    ("sys.exit(7)", 7, ""),
    ("sys.exit()", 0, ""),
    ("sys.exit('words')", 1, "words"),
    ("raise ValueError('boom')", 1, "ValueError: boom"),
    ("raise KeyboardInterrupt", 130, ""),
]


@pytest.mark.parametrize(("how", "code", "said"), ENDS, ids=[how for how, _, _ in ENDS])
def test_an_app_ends_with_the_code_and_the_message_of_its_flow(play, how, code, said):
    played = play(
        f"""
class Child(Flow):
    pass

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.child, self.w = Child(), Work(parallel=True)

    def run(self):
        self.w.run()
        if self.w.has_succeeded:
            print("before")
            {how}
            print("after")
""",
        code=code,
    )
    assert played.lines == ["before"]
    assert said in played.errors
    assert "lightning_apps/" not in played.errors


def test_an_exception_in_a_child_flow_names_it_and_shows_the_users_frames_only(play):
    played = play(
        """
class Child(Flow):
    def run(self):
        raise ValueError("boom")

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.child = Child()

    def run(self):
        self.child.run()
""",
        code=1,
    )
    assert "root.child" in played.errors
    assert played.errors.startswith("Traceback (most recent call last):\n")
    assert "lightning_apps" not in played.errors


def test_the_flow_runs_once_at_first_and_then_on_change_only(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.turns, self.n = 0, 0

    def run(self):
        print("turn")
        if self.n < 3:
            self.n += 1
        if self.schedule("* * * * * *", user_key="end") and self.__dict__.setdefault("_calls_seen", 0):
            self.stop()
        self._calls_seen = 1
""")
    assert lines == ["turn"] * 5


def test_schedules_fire_at_once_and_then_at_their_times(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.fired = []

    def run(self):
        if self.schedule("* * * * * *"):
            self.fired.append(time.time())
        if len(self.fired) == 3:
            print([round(t - int(t), 1) < 0.3 for t in self.fired[1:]], self.fired[2] - self.fired[1] < 1.3)
            self.stop()
""")
    assert lines == ["[True, True] True"]


def test_an_invalid_pattern_raises_at_the_call(play):
    played = play(
        """
class Root(Flow):
    def run(self):
        self.schedule("not a pattern")
""",
        code=1,
    )
    assert "ScheduleError" in played.errors
    assert "not a pattern" in played.errors


def test_iterate_goes_on_at_the_same_item_when_a_call_ends_the_turn(play):
    lines = play.lines("""
class Double(Work):
    def run(self, n):
        return 2 * n

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.got = Double(), []

    def run(self):
        for n in self.experimental_iterate(range(4)):
            self.got.append(self.w.run(n))
        print(self.got)
        self.stop()
""")
    assert lines == ["[0, 2, 4, 6]"]


def test_a_tick_wakes_a_flow_that_nothing_else_would(play):
    lines = play.lines("""
class Root(Flow):
    def run(self):
        self._turns = self.__dict__.get("_turns", 0) + 1
        if self._turns == 4:
            print("four")
            self.stop()

app = L.LightningApp(Root(), tick=0.01)
""")
    assert lines == ["four"]


def test_state_and_status_can_be_read_after_an_embedded_run(way, command_line):
    path = command_line.app(
        PRELUDE
        + """
class Count(Work):
    def __init__(self):
        super().__init__()
        self.counter = 0

    def run(self):
        self.counter += 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Count()

    def run(self):
        self.w.run()
        self.stop()

if __name__ == "__main__":
    app = L.LightningApp(Root())
    app.run()
    print(app.root.w.counter, app.root.w.has_stopped, app.state["works"]["w"]["vars"]["counter"])
    print([s.stage for s in app.root.w.statuses])
"""
    )
    ran = command_line.execute([sys.executable, str(path)], env=way.env)
    assert ran.wait() == 0, ran.report()
    assert ran.stdout.splitlines() == ["1 True 1", "['succeeded', 'stopped']"], ran.report()
    ran.assert_nothing_left()


def test_an_app_can_be_run_twice_in_one_process(way, command_line):
    path = command_line.app(
        PRELUDE
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Work()

    def run(self):
        self.w.run()
        print("passed")
        self.stop()

if __name__ == "__main__":
    for _ in range(2):
        L.LightningApp(Root()).run()
"""
    )
    ran = command_line.execute([sys.executable, str(path)], env=way.env)
    assert ran.wait() == 0, ran.report()
    assert ran.stdout.splitlines() == ["passed", "passed"], ran.report()
    ran.assert_nothing_left()


def test_what_on_exit_sets_at_the_end_of_the_app_is_there_afterwards(way, command_line):
    path = command_line.app(
        PRELUDE
        + """
class Leaves(Work):
    def __init__(self):
        super().__init__()
        self.left = False

    def on_exit(self):
        self.left = True

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Leaves()

    def run(self):
        self.w.run()
        self.stop()

if __name__ == "__main__":
    app = L.LightningApp(Root())
    app.run()
    print(app.root.w.left)
"""
    )
    ran = command_line.execute([sys.executable, str(path)], env=way.env)
    assert ran.wait() == 0, ran.report()
    assert ran.stdout == "True\n", ran.report()
    ran.assert_nothing_left()


def test_a_work_that_listens_to_nobody_does_not_delay_the_end_beyond_the_grace(play):
    began = time.monotonic()
    play(
        """
class Deaf(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.on = False

    def run(self):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.on = True
        time.sleep(60)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Deaf()

    def run(self):
        self.w.run()
        if self.w.on:
            self.stop()
""",
        LIGHTNING_GRACE="0.3",
    )
    assert time.monotonic() - began < 20


def test_a_flow_that_writes_without_pause_reaches_a_work_that_reads_without_pause(play):
    lines = play.lines(
        """
class Reads(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.n, self.last, self.go = 0, 0, False

    def run(self):
        self.go = True
        until(lambda: self.n >= 3000)
        self.last = self.n

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Reads()

    def run(self):
        self.w.run()
        if self.w.go and self.w.n < 3000:
            for _ in range(10):
                self.w.n += 1
        if self.w.has_succeeded:
            print(self.w.last)
            self.stop()
"""
    )
    assert lines == ["3000"]
