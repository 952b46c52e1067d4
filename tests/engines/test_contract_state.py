"""State over every engine: both ways, in order, while works run, and what may be state at all."""

from __future__ import annotations


def test_everything_a_work_did_is_seen_before_its_success(play):
    lines = play.lines("""
class Fill(Work):
    def __init__(self):
        super().__init__()
        self.items, self.table, self.marks, self.count = [1], {"a": {"b": []}}, {1}, 0

    def run(self):
        self.items.append([2])
        self.items[1].append(3)
        self.table["a"]["b"].append("deep")
        self.table["new"] = (1, "two")
        self.marks |= {2, 3}
        self.marks.discard(1)
        for n in range(100):
            self.count += 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Fill()

    def run(self):
        self.w.run()
        print(self.w.items, self.w.table, self.w.marks, self.w.count)
        self.stop()
""")
    assert lines == ["[1, [2, 3]] {'a': {'b': ['deep']}, 'new': (1, 'two')} {2, 3} 100"]


def test_the_order_in_which_a_work_changed_its_state_is_kept(play):
    lines = play.lines("""
class Pairs(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.first, self.second = 0, 0

    def run(self):
        for n in range(2000):
            self.first += 1
            self.second += 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Pairs()

    def run(self):
        self.w.run()
        assert self.w.second <= self.w.first <= self.w.second + 1, (self.w.first, self.w.second)
        if self.w.has_succeeded:
            print(self.w.first, self.w.second)
            self.stop()
""")
    assert lines == ["2000 2000"]


def test_state_goes_to_a_running_work_and_comes_back(play):
    lines = play.lines("""
class Echo(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.ping, self.pong, self.notes = 0, 0, {}

    def run(self):
        while self.pong < 50:
            until(lambda: self.ping > self.pong)
            assert self.notes.get("n") == self.ping
            self.pong = self.ping

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Echo()

    def run(self):
        self.w.run()
        if self.w.ping == self.w.pong < 50:
            self.w.notes["n"] = self.w.ping + 1
            self.w.ping += 1
        if self.w.has_succeeded:
            print(self.w.ping, self.w.pong, self.w.notes)
            self.stop()
""")
    assert lines == ["50 50 {'n': 50}"]


def test_what_the_flow_set_before_the_call_is_seen_in_it(play):
    lines = play.lines("""
class Read(Work):
    def __init__(self):
        super().__init__()
        self.rate, self.items = 1, []

    def run(self, n):
        return self.rate, self.items

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Read()

    def run(self):
        if not self.w.run(1):
            return
        self.w.rate = 5
        if not self.w.items:
            self.w.items.append("x")
        print(self.w.run(2))
        self.stop()
""")
    assert lines == ["(5, ['x'])"]


def test_a_call_never_sends_an_older_state_over_a_newer_one(play):
    lines = play.lines("""
class Count(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.total, self.log = 0, []

    def run(self, n):
        self.total += 1
        self.log.append(n)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Count()

    def run(self):
        for n in range(10):
            self.w.run(n)
        if self.w.has_succeeded:
            print(self.w.total, self.w.log == list(range(10)))
            self.stop()
""")
    assert lines == ["10 True"]


def test_both_sides_change_one_list_and_agree_in_the_end(play):
    lines = play.lines("""
class Both(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.items, self.mine, self.go = [], None, False

    def run(self):
        for n in range(200):
            self.items.append(n)
        until(lambda: self.go)
        self.mine = " ".join(map(str, self.items))

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w, self.sent = Both(), 0

    def run(self):
        self.w.run()
        if self.w.is_running and self.sent < 20:
            self.w.items.append(f"flow{self.sent}")
            self.sent += 1
        if self.sent == 20 and not self.w.go:
            self.w.go = True
        if self.w.has_succeeded:
            numbers = [item for item in self.w.items if isinstance(item, int)]
            print(numbers == list(range(200)), self.w.mine == " ".join(map(str, self.w.items)))
            self.stop()
""")
    assert lines == ["True True"]


def test_values_come_and_go_as_themselves(play):
    lines = play.lines("""
import dataclasses, datetime, enum
class Colour(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Point:
    x: int
    tags: list

class Keep(Work):
    def __init__(self):
        super().__init__()
        self.values, self.point = None, Point(0, [])

    def run(self, values):
        self.point.x = 7
        self.point.tags.append("t")
        self.values = values

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Keep()
        self.mine = [Colour.RED, (1, [2]), {1: "a"}, {3}, datetime.date(2020, 1, 2), 2**70, "\\ud800", b"x", 1.5, None]

    def run(self):
        self.w.run(self.mine)
        assert self.w.values == self.mine, self.w.values
        assert [type(v) for v in self.w.values] == [type(v) for v in self.mine]
        print(self.w.point)
        self.stop()
""")
    assert lines == ["Point(x=7, tags=['t'])"]


def test_an_unpicklable_private_attribute_is_there_in_the_work(play):
    lines = play.lines("""
class Locked(Work):
    def __init__(self):
        super().__init__()
        self._lock, self.got = threading.Lock(), 0

    def run(self):
        with self._lock:
            self.got = 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Locked()

    def run(self):
        self.w.run()
        print(self.w.got)
        self.stop()
""")
    assert lines == ["1"]


def test_a_private_attribute_that_the_flow_set_before_the_work_started_is_seen(play):
    lines = play.lines("""
class Late(Work):
    def __init__(self):
        super().__init__(start_with_flow=False)
        self._who = "nobody"

    def run(self):
        return self._who

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Late()

    def run(self):
        self.w._who = "the flow"
        print(self.w.run())
        self.stop()
""")
    assert lines[-1] == "the flow"


def test_what_on_start_sets_reaches_the_flow(play):
    lines = play.lines("""
class Starts(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.where, self.items = None, []

    def on_start(self):
        self.where = "started"
        self.items.append(1)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Starts()

    def run(self):
        if self.w.items:
            print(self.w.where, self.w.items, self.w.internal_ip)
            self.stop()
""")
    assert lines == ["started [1] 127.0.0.1"]


def test_what_on_exit_sets_reaches_the_flow_of_a_work_that_is_stopped(play):
    lines = play.lines("""
class Leaves(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.left = False

    def on_exit(self):
        self.left = True

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Leaves()

    def run(self):
        self.w.run()
        if self.w.has_succeeded:
            self.w.stop()
        if self.w.left:
            print("left", self.w.status.stage)
            self.stop()
""")
    assert lines == ["left stopped"]


def test_any_thread_of_a_work_may_assign(play):
    lines = play.lines("""
class Threads(Work):
    def __init__(self):
        super().__init__()
        self.counts = {}

    def run(self):
        def fill(n):
            for i in range(300):
                self.counts[n] = i
        threads = [threading.Thread(target=fill, args=(n,)) for n in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.w = Threads()

    def run(self):
        self.w.run()
        print(sorted(self.w.counts.items()))
        self.stop()
""")
    assert lines == ["[(0, 299), (1, 299), (2, 299), (3, 299)]"]


def test_the_flows_state_from_another_thread_is_refused_naming_appstate(play):
    lines = play.lines("""
class Root(Flow):
    def __init__(self):
        super().__init__()
        self.x = 0

    def run(self):
        said = []
        def assign():
            try:
                self.x = 1
            except Exception as error:
                said.append(str(error))
        thread = threading.Thread(target=assign)
        thread.start()
        thread.join()
        print("AppState" in said[0], self.x)
        self.stop()
""")
    assert lines == ["True 0"]


def test_the_host_hands_out_one_port_to_both_sides(play):
    lines = play.lines("""
class Serve(Work):
    def run(self):
        return self.port, self.host

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.a, self.b = Serve(), Serve()

    def run(self):
        first, second = self.a.run(), self.b.run()
        print(first == (self.a.port, "127.0.0.1"), first[0] != second[0], second[0] == self.b.port)
        self.stop()
""")
    assert lines == ["True True True"]
