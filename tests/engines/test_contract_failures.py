"""Failures over every engine: of calls, of processes, of arguments and results, and how an app ends with them."""

from __future__ import annotations

import pytest

BROKEN = """
class Broken(Work):
    def __init__(self, **options):
        super().__init__(**options)
        self.runs = 0

    def run(self, how):
        self.runs += 1
        if how == "raise":
            raise ValueError("boom")
        if how == "exit":
            sys.exit(3)
        if how == "interrupt":
            raise KeyboardInterrupt
        if how == "_exit":
            os._exit(4)
        if how == "segfault":
            import ctypes
            ctypes.string_at(0)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return how
"""
CALL = """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Broken(parallel=True, raise_exception=False)

    def run(self):
        self.w.run(HOW)
        if self.w.has_failed:
            print(self.w.runs, self.w.status.reason)
            print(self.w.status.message.strip().splitlines()[-1])
            self.stop()
"""


def test_an_exception_fails_the_call_and_ends_the_app(play):
    played = play(
        BROKEN
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Broken()

    def run(self):
        if self.w.has_failed:
            print("seen", self.w.runs)
        self.w.run("raise")
""",
        code=1,
    )
    assert played.lines == ["seen 1"]
    assert "ValueError: boom" in played.errors
    assert "root.w failed: run('raise'), attempt 1." in played.errors
    assert "lightning_apps" not in played.errors


def test_with_raise_exception_false_the_app_goes_on_and_the_call_is_not_made_again(play):
    lines = play.lines(
        BROKEN
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.turns = Broken(parallel=True, raise_exception=False), 0

    def run(self):
        self.w.run("raise")
        if self.w.has_failed:
            self.turns += 1
        if self.turns == 10:
            print(self.w.runs, self.w.run("fine"))
            self.stop()
"""
    )
    assert lines == ["1 None"]


def test_retry_makes_a_failed_call_again(play):
    lines = play.lines("""
class Second(Work):
    def __init__(self):
        super().__init__(raise_exception=False)
        self.tries = 0

    def run(self):
        self.tries += 1
        if self.attempt < 3:
            raise ValueError("not yet")

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Second()

    def run(self):
        if self.w.has_failed:
            self.w.retry()
            assert self.w.is_pending
        self.w.run()
        print("passed at attempt", self.w.attempt)
        self.stop()
""")
    assert lines == ["passed at attempt 3"]


def test_other_arguments_are_a_way_out_of_a_failure(play):
    lines = play.lines(
        BROKEN
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.n = Broken(raise_exception=False), "raise"

    def run(self):
        if self.w.has_failed:
            self.n = "fine"
        print(self.w.run(self.n))
        self.stop()
"""
    )
    assert lines == ["fine"]


@pytest.mark.parametrize(("how", "last"), [("exit", "SystemExit: 3"), ("interrupt", "KeyboardInterrupt")])
def test_leaving_run_by_sys_exit_or_keyboard_interrupt_is_a_failure(play, how, last):
    lines = play.lines(BROKEN + CALL.replace("HOW", repr(how)))
    assert lines == ["1 user_exception", last]


@pytest.mark.needs("isolation")
@pytest.mark.parametrize(
    ("how", "last"),
    [
        ("_exit", "The process of root.w ended with exit code 4."),
        ("segfault", "The process of root.w was ended by SIGSEGV (11)."),
        ("kill", "The process of root.w was ended by SIGKILL (9) (out of memory?)."),
    ],
)
def test_a_process_that_dies_fails_its_call_with_the_reason(play, how, last):
    lines = play.lines(BROKEN + CALL.replace("HOW", repr(how)))
    assert lines[-1] == last
    assert lines[0].startswith("1 ")


@pytest.mark.needs("isolation")
def test_after_a_death_other_arguments_get_another_process(play):
    lines = play.lines(
        BROKEN
        + """
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.how = Broken(raise_exception=False), "kill"

    def run(self):
        if self.w.has_failed:
            self.how = "fine"
        print(self.w.run(self.how), self.w.runs)
        self.stop()
"""
    )
    assert lines == ["fine 1"]  # what the attempt that died had written is gone


def test_a_value_that_cannot_be_kept_fails_the_call_naming_payload(play):
    lines = play.lines("""
class Wrong(Work):
    def run(self):
        return threading.Lock()

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Wrong(parallel=True, raise_exception=False)

    def run(self):
        self.w.run()
        if self.w.has_failed:
            print(self.w.status.reason, "Payload" in self.w.status.message, "root.w" in self.w.status.message)
            self.stop()
""")
    assert lines == ["invalid_return_value True True"]


def test_state_that_cannot_be_kept_fails_the_call_with_one_sentence(play):
    lines = play.lines("""
class Wrong(Work):
    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.items = []

    def run(self, how):
        if how == "declare":
            self.never_declared = 1
        self.items.append(object())

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.a, self.b = Wrong(), Wrong()

    def run(self):
        self.a.run("declare")
        self.b.run("keep")
        if self.a.has_failed and self.b.has_failed:
            for work in (self.a, self.b):
                print(work.status.message.strip().splitlines()[-1])
            self.stop()
""")
    assert "never_declared" in lines[0]
    assert "object" in lines[1]


@pytest.mark.parametrize("argument", ["threading.Lock()", "lambda: 1", "(i for i in [1])"])
def test_an_argument_that_cannot_be_sent_ends_the_app_with_one_sentence(play, argument):
    played = play(
        f"""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Work()

    def run(self):
        self.w.run({argument})
""",
        code=1,
    )
    (said,) = [line for line in played.errors.splitlines() if "CannotSend" in line]
    assert "root.w.run(" in said
    assert "lightning_apps/" not in played.errors


def test_on_exception_is_called_with_the_exception(play):
    lines = play.lines("""
class Handles(Work):
    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.handled = ""

    def run(self):
        raise ValueError("boom")

    def on_exception(self, exception):
        self.handled = repr(exception)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Handles()

    def run(self):
        self.w.run()
        if self.w.handled:
            print(self.w.handled)
            self.stop()
""")
    assert lines == ["ValueError('boom')"]


def test_a_failing_on_start_fails_the_work(play):
    played = play(
        """
class NoStart(Work):
    def on_start(self):
        raise ValueError("cannot start")

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = NoStart()

    def run(self):
        self.w.run()
        print("passed")
""",
        code=1,
    )
    assert played.lines == []
    assert "ValueError: cannot start" in played.errors
    assert "root.w" in played.errors


@pytest.mark.needs("signals")
def test_a_work_that_is_stopped_unwinds_its_stack(play):
    lines = play.lines("""
class Long(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.on, self.said = False, []

    def run(self):
        try:
            self.on = True
            time.sleep(60)
        finally:
            self.said.append("finally")

    def on_exit(self):
        self.said.append("on_exit")

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Long()

    def run(self):
        self.w.run()
        if self.w.on and not self.w.has_stopped:
            self.w.stop()
        if "finally" in self.w.said:
            print(self.w.said)
            self.stop()
""")
    assert lines == ["['on_exit', 'finally']"]


def test_a_work_made_at_run_time_that_does_not_pickle_is_refused_naming_the_attribute(play):
    isolated = "isolation" in play.way.promises
    played = play(
        """
class Locked(Work):
    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()

    def run(self):
        return 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = None

    def run(self):
        if self.w is None:
            self.w = Locked()
        print(self.w.run())
        self.stop()
""",
        code=1 if isolated else 0,
    )
    assert played.lines == ([] if isolated else ["1"])
    assert ("its attribute '_lock' cannot be" in played.errors) == isolated


def test_the_rest_of_a_queue_is_stopped_with_the_call_under_way(play):
    lines = play.lines(
        """
class Held(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.go, self.on = False, False

    def run(self, n):
        self.on = True
        until(lambda: self.go)
        return n

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.step = Held(), 0

    def run(self):
        if self.step == 0:
            for n in (1, 2, 3):
                self.w.run(n)
            if self.w.on:
                self.w.stop()
                self.w.go, self.step = True, 1
                print([c["statuses"][-1]["stage"] for c in self.w._calls.values() if isinstance(c, dict)])
        elif self.w.run(4):
            print(self.w.run(4))
            self.stop()
"""
    )
    assert lines == ["['stopped', 'stopped', 'stopped']", "4"]
