"""C code writes to lists past their methods: seen at the end of the turn, taken back with it, and said by works."""

from __future__ import annotations

import heapq
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.talk import Root, Talk
from durability.test_replay import Recorded
from lightning_apps.base import messages as m
from lightning_apps.base.values import SHADOWED, TrackedList, untold, watch
from lightning_apps.model.work import LightningWork
from lightning_apps.worker.session import Session


class Queue(Root):
    """A priority queue as state."""

    def __init__(self, run: Any = None, **children: Any) -> None:
        super().__init__(run, **children)
        self.heap: Any = []

    def fail(self) -> None:
        heapq.heappush(self.heap, (0, "rubbish"))
        self.heap.append((9, "rubbish"))
        heapq.heappop(self.heap)
        raise ValueError("as asked")


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["push", "pop", "replace", "append", "cut", "heapify"]), st.integers(0, 9))
)


def operate(heap: list[Any], what: str, number: int) -> None:
    if what == "push":
        heapq.heappush(heap, number)
    elif what == "append":
        heap.append(number)
    elif what == "heapify":
        heapq.heapify(heap)
    elif heap and what == "pop":
        heapq.heappop(heap)
    elif heap and what == "replace":
        heapq.heapreplace(heap, number)
    elif heap:
        del heap[number % len(heap)]


@given(OPERATIONS, st.sampled_from([0, 3, SHADOWED - 2, SHADOWED + 2]))
@example([("pop", 0), ("cut", 0), ("cut", 0), ("heapify", 0)], SHADOWED + 2)
@settings(max_examples=300, deadline=None)
def test_a_list_that_tells_nothing_of_a_heap_is_known_to_be_untold(operations: Any, size: int) -> None:
    heap = TrackedList(range(10, 10 + size))
    watch(heap)
    plain = list(heap)
    for what, number in operations:
        before = list(heap)
        operate(heap, what, number)
        operate(plain, what, number)
        if what in ("append", "cut") and not untold(heap):
            continue
        if len(before) < SHADOWED and list(heap) != before:
            assert untold(heap) or what in ("append", "cut")
        watch(heap)
        assert not untold(heap)

    assert list(heap) == plain


def test_a_heap_of_a_flow_is_recorded_and_comes_back() -> None:
    def run(root: Any) -> None:
        if len(root.heap) < 3:
            heapq.heappush(root.heap, (5 - len(root.heap), ["nested"]))
        elif root.heap[0][0] == 3:
            heapq.heapreplace(root.heap, (7, ["last"]))

    class Kept(Recorded):
        def build(self) -> Any:
            return Queue(self.run)

    talk = Kept(run)
    talk.settle()

    again, _ = talk.again()

    assert talk.root.heap == again.root.heap == [(4, ["nested"]), (5, ["nested"]), (7, ["last"])]


def test_what_a_heap_was_given_is_tracked_like_everything_else() -> None:
    def run(root: Any) -> None:
        if not root.heap:
            heapq.heappush(root.heap, ["first", 1])
        elif root.heap[0][1] < 3:
            root.heap[0][1] += 1

    talk = Talk(Queue(run))
    talk.settle()

    assert talk.root.heap == [["first", 3]] and type(talk.root.heap[0]) is TrackedList


def test_a_heap_that_a_failed_handler_wrote_to_is_as_it_was() -> None:
    talk = Talk(Queue())
    talk.root.heap += [(1, "a"), (2, "b")]
    talk.settle()

    talk.tell(m.Asked("1", "root", "fail"))

    assert talk.root.heap == [(1, "a"), (2, "b")]
    assert talk.outcome.record.done == []


def test_what_cannot_be_kept_is_named_and_nothing_of_the_turn_stays() -> None:
    def run(root: Any) -> None:
        if root._turns == 2:
            root.n = 1
            heapq.heappush(root.heap, object())

    talk = Talk(Queue(run))
    talk.settle()
    talk.core.awake = True
    (effect,) = [each for each in talk.tell() if isinstance(each, m.Exit)]

    assert effect.code == 1 and "cannot keep" in effect.message and "builtins.object" in effect.message
    assert (talk.root.n, talk.root.heap) == (0, [])


def test_a_quiet_turn_of_flows_with_lists_changes_nothing() -> None:
    talk = Talk(Queue())
    talk.settle()
    talk.root.heap.append(1)
    talk.settle()
    talk.core.awake = True
    talk.tell()

    assert talk.outcome.record.empty


class Sorter(LightningWork):
    """Keeps a heap."""

    def __init__(self) -> None:
        super().__init__()
        self.heap: Any = []
        self.big: Any = list(range(SHADOWED * 2))

    def run(self) -> None:
        for number in (5, 1, 3):
            heapq.heappush(self.heap, number)
        heapq.heappop(self.big)


def test_the_heaps_of_a_work_are_said_before_its_success() -> None:
    from lightning_apps.wire import codec

    work, said = Sorter(), []
    session = Session(work, lambda data: said.extend(codec.Frames().feed(data)), lambda *_: None)
    session.welcome(m.Welcome(1, 1, work._lit_values()))
    session.run(m.Run(1, 1, b"\x80\x04)}\x86\x94."))

    told = [codec.load_from_worker(payload) for _, payload in said]
    changes = {change.path: change.value for each in told if isinstance(each, m.Changed) for change in each.changes}
    assert changes[("heap",)] == [1, 5, 3] and changes[("big",)][:2] == [1, 3]
    assert isinstance(told[-1], m.Moved) and told[-1].stage == "succeeded"
