"""The lives of works on every engine: stopped, started again, replaced, made and removed while the app runs."""

from __future__ import annotations

from engines.contract import ENDING, PRELUDE

HELD = """
class Held(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.go, self.runs = False, []

    def run(self, n=0):
        self.runs.append(n)
        until(lambda: self.go)
"""


def test_a_stopped_work_is_stopped_at_once_and_not_run_again_by_the_same_arguments(play):
    lines = play.lines(
        HELD
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.turns, self.stopped = Held(), 0, False

    def run(self):
        self.w.run(1)
        if self.w.runs and not self.stopped:
            self.stopped = True
            self.w.stop()
            assert self.w.has_stopped and self.w.status.reason == "pending", self.w.status
        if self.stopped:
            self.turns += 1
            assert self.w.has_stopped
        if self.turns == 20:
            print(self.w.runs, self.see(self.w)[-1])
            self.stop()
"""
    )
    assert lines == ["[1] stopped"]


def test_other_arguments_start_a_stopped_work_again(play):
    lines = play.lines(
        HELD
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.stopped = Held(), False

    def run(self):
        if not self.stopped:
            self.w.run(1)
        if self.w.runs == [1] and not self.stopped:
            self.stopped = True
            self.w.stop()
        if self.stopped:
            self.w.go = True
            self.w.run(2)
            if self.w.has_succeeded:
                print(self.w.runs, self.w.attempt)
                self.stop()
"""
    )
    assert lines == ["[2] 2"]  # what the attempt that was cut short had written is gone


def test_retry_makes_a_stopped_call_again(play):
    lines = play.lines(
        HELD
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.stopped = Held(), False

    def run(self):
        self.w.run(1)
        if self.w.runs and not self.stopped:
            self.stopped = True
            self.w.stop()
            self.w.go = True
            self.w.retry()
            assert self.w.is_pending
        if self.w.has_succeeded:
            print(self.w.runs, self.w.attempt)
            self.stop()
"""
    )
    assert lines == ["[1] 2"]


def test_start_starts_a_stopped_work_again(play):
    lines = play.lines(
        HELD
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.stopped = Held(), False

    def run(self):
        self.w.run(1)
        if self.w.runs and not self.stopped:
            self.stopped = True
            self.w.stop()
            self.w.start()
        if self.stopped and self.w.status.stage == "started":
            print(self.w.runs)
            self.stop()
"""
    )
    assert lines == ["[1]"]


def test_stopping_what_never_started_or_was_stopped_does_nothing(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.done = Work(start_with_flow=False, parallel=True), Work()

    def run(self):
        self.w.stop()
        assert self.w.status.stage == "not_started", self.w.status
        self.done.run()
        self.done.stop()
        self.done.stop()
        print(self.done.status.stage)
        self.stop()
""")
    assert lines == ["stopped"]


def test_a_blocking_work_that_was_stopped_after_its_success_still_lets_the_flow_pass(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.n = Work(), 0

    def run(self):
        self.w.run()
        self.w.stop()
        self.n += 1
        if self.n == 3:
            print(self.w.status.stage)
            self.stop()
""")
    assert lines == ["stopped"]


def test_a_deleted_work_can_be_replaced_under_its_name(play):
    lines = play.lines("""
class Say(Work):
    def __init__(self, word):
        super().__init__()
        self.word = word

    def run(self):
        return self.word, self.name

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.got = Say("first"), []

    def run(self):
        if not self.got:
            self.got.append(self.w.run())
            self.w.delete()
            assert self.w.has_stopped
            self.w = Say("second")
        self.got.append(self.w.run())
        print(self.got)
        self.stop()
""")
    assert lines == ["[('first', 'root.w'), ('second', 'root.w')]"]


def test_works_made_while_the_app_runs_are_run(play):
    lines = play.lines("""
class Add(Work):
    def __init__(self, n):
        super().__init__(parallel=True)
        self.n, self.total = n, 0

    def run(self, m):
        self.total = self.n + m

class Child(Flow):
    def __init__(self):
        super().__init__()
        self.inner = Add(100)

    def run(self):
        self.inner.run(1)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.child, self.box, self.items = None, None, L.structures.Dict(), L.structures.List()

    def run(self):
        if self.w is None:
            self.w = Add(10)
            self.child = Child()
            self.box["k"] = Add(20)
            self.items.append(Add(30))
            self.items.append(Add(40))
            setattr(self, "named_at_run_time", Add(50))
        self.child.run()
        for work in self.works():
            work.run(1)
        if all(work.has_succeeded for work in self.works()):
            print(sorted((work.name, work.total) for work in self.works()))
            self.stop()
""")
    assert lines == [
        "[('root.box.k', 21), ('root.child.inner', 101), ('root.items.0', 31), ('root.items.1', 41), "
        "('root.named_at_run_time', 51), ('root.w', 11)]"
    ]


def test_components_that_leave_are_stopped_and_their_names_are_not_given_twice(play):
    lines = play.lines("""
class Say(Work):
    def __init__(self):
        super().__init__(parallel=True)

    def run(self):
        return self.name

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.items, self.box, self.single, self.step = L.structures.List(), L.structures.Dict(), Say(), 0

    def run(self):
        if self.step == 0:
            for _ in range(3):
                self.items.append(Say())
            self.box["a"] = Say()
            self.step = 1
        names = [work.run() for work in self.works()]
        if self.step == 1 and all(names):
            gone = self.items.pop(0)
            assert gone.name == "" or gone.name is not None
            del self.box["a"]
            del self.single
            self.items.append(Say())
            self.step = 2
            return
        if self.step == 2 and all(names):
            print(names)
            self.stop()
""")
    assert lines == ["['root.items.1', 'root.items.2', 'root.items.3']"]


def test_a_work_in_no_flow_cannot_be_called(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self._loose = Work()

    def run(self):
        for method in (self._loose.run, self._loose.stop, self._loose.start):
            try:
                method()
            except AttributeError as error:
                print(type(error).__name__)
        self.stop()
""")
    assert lines == ["NotAttached"] * 3


def test_a_work_can_be_the_root_and_its_success_ends_the_app(play):
    played = play("""
class Only(Work):
    def run(self):
        print("only", flush=True)

app = L.LightningApp(Only())
""")
    assert played.lines == ["only"]


def test_two_apps_run_side_by_side(way, command_line):
    body = """
import os
class Meet(Work):
    def run(self, mine, other):
        open(mine, "w").close()
        until(lambda: os.path.exists(other))

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Meet()

    def run(self):
        self.w.run(*sys.argv[1:])
        print("met")
        self.stop()
"""
    path = command_line.app(PRELUDE + body + ENDING)
    one, two = (str(command_line.folder / name) for name in ("one", "two"))
    apps = [command_line.start("run", "app", path, "--", *pair, env=way.env) for pair in ((one, two), (two, one))]
    for app in apps:
        assert app.wait() == 0, app.report()
        assert app.stdout == "met\n"
        app.assert_nothing_left()
