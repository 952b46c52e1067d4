"""Calls of works, on every engine: their order, their arguments, what comes back, and when the flow goes on."""

from __future__ import annotations

import re


def test_a_blocking_call_ends_the_turn_until_it_has_succeeded(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.a, self.b = Work(), Work()

    def run(self):
        print("before")
        self.a.run()
        print("between", self.a.status.stage, self.b.status.stage != "succeeded")
        self.b.run()
        print("after", self.b.status.stage)
        self.stop()
""")
    assert set(lines[: lines.index("between succeeded True")]) == {"before"}
    assert lines[-1] == "after succeeded"
    assert lines[-2] == "between succeeded False"


def test_a_parallel_call_lets_the_flow_go_on_and_is_made_once(play):
    lines = play.lines("""
class Count(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.runs = 0

    def run(self):
        self.runs += 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Count()

    def run(self):
        assert self.w.run() is None
        if self.w.has_succeeded:
            print(self.w.runs, self.w.num_successes)
            self.stop()
""")
    assert lines == ["1 1"]


def test_what_a_work_returns_is_returned_by_the_call(play):
    lines = play.lines("""
class Double(Work):
    def run(self, value, plus=0):
        return {"twice": value * 2 + plus, "pair": (1, 2)}

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.now, self.later = Double(), Double(parallel=True)

    def run(self):
        got = self.later.run(5, plus=1)
        print(self.now.run(3)) if got else None
        if got:
            print(got)
            self.stop()
""")
    assert lines[-2:] == ["{'twice': 6, 'pair': (1, 2)}", "{'twice': 11, 'pair': (1, 2)}"]


def test_a_work_that_changes_its_argument_does_not_change_the_flows(play):
    lines = play.lines("""
class Mutate(Work):
    def run(self, items, box):
        items.append(99)
        box["x"] = 1
        return type(items).__name__, len(items), len(box)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.items, self._box = Mutate(parallel=True), [1, 2], {}

    def run(self):
        got = self.w.run(self.items, self._box)
        if got:
            print(got, self.items, self._box)
            self.stop()
""")
    assert lines == ["('list', 3, 1) [1, 2] {}"]


def test_calls_with_other_arguments_run_first_in_first_out(play):
    lines = play.lines("""
class Log(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.seen = []

    def run(self, number):
        self.seen.append(number)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Log()

    def run(self):
        for number in (3, 1, 2, 3):
            self.w.run(number)
        if len(self.w.seen) == 3 and self.w.has_succeeded:
            print(self.w.seen)
            self.stop()
""")
    assert lines == ["[3, 1, 2]"]


def test_order_number_and_spelling_of_arguments_make_different_calls(play):
    lines = play.lines("""
class Log(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.seen = []

    def run(self, *args, **kwargs):
        self.seen.append([list(args), kwargs])

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Log()

    def run(self):
        for args in ((1, 2), (2, 1), (1, 1), (1,), (1.0,), (True,), ([1, 2],), ([2, 1],)):
            self.w.run(*args)
        self.w.run(x=1)
        self.w.run(y=2, x=1)
        self.w.run(x=1, y=2)
        if len(self.w.seen) == 10 and self.w.has_succeeded:
            print(len(self.w.seen), self.w.num_successes)
            self.stop()
""")
    assert lines == ["10 10"]


def test_without_cache_an_equal_call_runs_again_after_it_has_finished(play):
    lines = play.lines("""
class Count(Work):
    def __init__(self):
        super().__init__(parallel=True, cache_calls=False)
        self.runs = 0

    def run(self):
        self.runs += 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Count()

    def run(self):
        if self.w.runs >= 5:
            print("five")
            self.stop()
        self.w.run()
""")
    assert lines == ["five"]


def test_a_blocking_call_without_cache_never_passes_its_line(play):
    lines = play.lines("""
class Count(Work):
    def __init__(self):
        super().__init__(cache_calls=False)
        self.runs = 0

    def run(self):
        self.runs += 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Count()

    def run(self):
        if self.w.runs >= 3:
            print("three")
            self.stop()
        self.w.run()
        print("passed")
""")
    assert lines == ["three"]


def test_flags_speak_of_the_call_that_was_asked_for_last_from_that_moment(play):
    lines = play.lines("""
class Hold(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.done = 0

    def run(self, number):
        self.done = number

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.i = Hold(), 0

    def run(self):
        self.w.run(self.i)
        if self.w.has_succeeded:
            assert self.w.done == self.i, (self.w.done, self.i)
            self.i += 1
            self.w.run(self.i)
            assert not self.w.has_succeeded
        if self.i == 20:
            print("never stale")
            self.stop()
""")
    assert lines == ["never stale"]


def test_every_status_is_seen_in_order(play):
    lines = play.lines("""
class Slow(Work):
    def __init__(self):
        super().__init__(parallel=True, start_with_flow=False)
        self.go = False

    def run(self):
        until(lambda: self.go)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Slow()

    def run(self):
        self.see(self.w)
        self.w.run()
        seen = self.see(self.w)
        if self.w.is_running:
            self.w.go = True
        if self.w.has_succeeded:
            print(seen, [s.stage for s in self.w.statuses])
            self.stop()
""")
    (line,) = lines  # where it takes a while, "pending" comes again with what is waited for
    assert re.sub(r"('pending', )+", "'pending', ", line) == "['pending', 'running', 'succeeded'] ['succeeded']"


def test_a_work_that_starts_with_the_flow_has_started_without_a_call(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.later = Work(), Work(start_with_flow=False)

    def run(self):
        if self.w.status.stage == "started":
            print([s.stage for s in self.w.statuses], self.w.has_started, self.later.status.stage, self.later.has_started)
            self.stop()
""")
    assert lines == ["['pending', 'started'] True not_started False"]


def test_start_ends_the_turn_until_the_work_has_started(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.p = Work(start_with_flow=False), Work(parallel=True, start_with_flow=False)

    def run(self):
        self.w.start()
        print(self.w.status.stage)
        self.p.start()
        if self.p.status.stage == "started":
            self.stop()
""")
    assert set(lines) == {"started"}


def test_a_blocked_turn_stays_blocked_whatever_catches_it(play):
    played = play("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.turns = Work(), Work(), 0

    def run(self):
        try:
            self.a.run()
        except:
            pass
        try:
            self.b.run()
        except BaseException:
            pass
        if not self.a.has_succeeded:
            assert self.b.status.stage in ("not_started", "pending", "started"), self.b.status
            assert not self.b._calls["latest_call_hash"]
        elif self.b.has_succeeded:
            print("both")
            self.stop()
""")
    assert played.lines == ["both"]
    assert played.errors.count("was not made: this turn already waits") == 1
    assert "app.py:" in played.errors


def test_except_exception_lets_a_blocking_call_through(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.a = Work()

    def run(self):
        try:
            self.a.run()
        except Exception:
            print("swallowed")
        print(self.a.has_succeeded)
        self.stop()
""")
    assert lines == ["True"]


def test_a_call_in_a_child_flow_blocks_the_root(play):
    lines = play.lines("""
class Child(Flow):
    def __init__(self):
        super().__init__()
        self.w = Work()

    def run(self):
        self.w.run()

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.a, self.b = Child(), Child()

    def run(self):
        self.a.run()
        print(self.a.w.has_succeeded)
        self.b.run()
        self.stop()
""")
    assert set(lines) == {"True"}


def test_a_work_may_call_its_own_run_and_other_methods_ask_for_it(play):
    lines = play.lines("""
class Both(Work):
    def __init__(self):
        super().__init__()
        self.files = []

    def list_files(self):
        return self.run("list")

    def run(self, action):
        self.files.append(action)
        if action == "list":
            self.run("nested")

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Both()

    def run(self):
        self.w.list_files()
        print(self.w.files)
        self.stop()
""")
    assert lines == ["['list', 'nested']"]


def test_private_attributes_persist_between_calls(play):
    lines = play.lines("""
class Cache(Work):
    def run(self, number):
        self.__dict__.setdefault("_cache", []).append(number)
        return list(self._cache)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Cache()

    def run(self):
        self.w.run(1)
        print(self.w.run(2))
        self.stop()
""")
    assert lines == ["[1, 2]"]


def test_the_attempt_is_a_number_that_only_grows(play):
    lines = play.lines("""
class Say(Work):
    def run(self, x):
        return self.attempt

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Say()

    def run(self):
        print([self.w.run(1), self.w.run(2), self.w.run(3)])
        self.stop()
""")
    assert lines == ["[1, 2, 3]"]
