"""The state of a run from its records: what the coordinator has is what the past tells, at every turn."""

from __future__ import annotations

import random
from typing import Any

import lightning as L
import pytest

from lightning_apps.base import messages as m
from lightning_apps.base.encoding import encode, encode_change
from lightning_apps.base.values import plain
from lightning_apps.core.past import Past, differences
from lightning_apps.core.seen import CallSeen
from lightning_apps.wire.codec import dump

from .talk import Root, Work
from .test_story import Recorded


class Child(L.LightningFlow):
    def __init__(self, x: int = 0) -> None:
        super().__init__()
        self.x = x

    def run(self) -> None:
        pass


def start_of(talk: Recorded) -> dict[int, bytes]:
    return {talk.core.turn: encode({name: c._lit_values() for name, c in talk.core.tree.items()})}


def real(talk: Recorded) -> dict[str, Any]:
    return {
        name: {k: plain(v) for k, v in each._lit_values().items() if k[0] != "_"}
        for name, each in talk.core.tree.items()
    }


def test_every_turn_of_random_conversations_is_told_as_it_was() -> None:
    dice = random.Random(7)
    todo: list[Any] = []

    def act(root: Root) -> None:
        while todo:
            todo.pop()(root)

    talk = Recorded(Root(act, w=Work(parallel=True)))
    starts = start_of(talk)
    talk.tell()
    seen = [real(talk)]
    todo.append(lambda root: root.w.run())
    talk.tell(m.Detached(""))
    talk.arrive("w")
    versions = {}
    for _ in range(200):
        todo.append(dice.choice(FLOW_ACTS))
        seen_version = talk.core.crew.lives["root.w"].mirror.version
        words = [talk.said("w", m.Changed(seen_version, dice.choice(WORK_WORDS)))] if dice.random() < 0.6 else []
        talk.tell(m.Detached(""), *words)
        versions[talk.core.turn] = real(talk)

    assert seen
    for turn in dice.sample(sorted(versions), 20):
        past = Past(None, starts).follow(r for r in talk.records if r.turn <= turn)
        assert past.values(whole=False) == versions[turn], turn


FLOW_ACTS: list[Any] = [
    lambda root: setattr(root, "n", root.n + 1),
    lambda root: root.w.items.append(root.n),
    lambda root: setattr(root.w, "items", []),
    lambda root: setattr(root.w, "x", root.n),
    lambda root: setattr(root, "child", Child(root.n)) if not hasattr(root, "child") else None,
    lambda root: delattr(root, "child") if hasattr(root, "child") else None,
    lambda root: None,
]
WORK_WORDS: list[Any] = [
    (m.Change(("x",), m.SET, 5),),
    (m.Change(("items",), m.SET, [1, 2, 3]),),
    (m.Change(("items",), m.SPLICE, [0, 0, [9]]),),
    (m.Change(("x",), m.SET, 1), m.Change(("items",), m.SPLICE, [0, 0, [7, 8]])),
]


def test_a_snapshot_is_a_beginning_as_good_as_the_first_turn() -> None:
    talk = Recorded(Root(lambda root: root.w.run(3), w=Work()))
    talk.tell()
    talk.arrive("w")
    kept, before = encode(talk.core.snapshot()), len(talk.records)
    talk.tell(talk.said("w", m.Changed(talk.core.crew.lives["root.w"].mirror.version, (m.Change(("x",), m.SET, 4),))))
    talk.running("w")
    talk.succeed("w", 1)

    past = Past(kept).follow(talk.records[before:])

    assert past.values(whole=False) == real(talk)
    assert past.works["root.w"].status()[0] == "succeeded"
    assert past.works["root.w"].calls[1].arguments == "(3)"


@pytest.mark.parametrize(
    ("told", "stage"), [("", "pending"), ("arrive", "pending"), ("running", "running"), ("succeed", "succeeded")]
)
def test_the_status_of_a_work_is_told(told: str, stage: str) -> None:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work()))
    talk.tell()
    for step in ("arrive", "running", "succeed")[: ("", "arrive", "running", "succeed").index(told)]:
        getattr(talk, step)("w")

    assert Past().follow(talk.records).works["root.w"].status()[0] == stage


def test_differences_name_what_came_what_went_and_what_changed() -> None:
    before = {"root": {"a": 1, "b": 2}, "root.x": {"y": 0}}
    after = {"root": {"a": 1, "b": 3, "c": None}, "root.z": {"v": 1}}

    assert list(differences(before, after)) == [
        ("root", "b", 2, 3), ("root", "c", None, None), ("root.x", "y", 0, None), ("root.z", "v", None, 1),
    ]  # fmt: skip


# what is told by hand: records whose beginning is gone, hosts that begin anew ------------------------------------------


def change(name: str, value: Any) -> bytes:
    return encode_change((name,), m.SET, value)


def heard(message: Any, offset: int = 1) -> m.Heard:
    return m.Heard("root.w@1", offset, dump(message))


def seen(*records: m.Record) -> Any:
    return Past().follow(records).works["root.w"]


def test_what_a_host_begins_with_counts_behind_the_last_turn_before_it() -> None:
    starts = {0: encode({"root": {"n": 0, "_m": 0}}), 1: encode({"root": {"n": 10}})}
    first = m.Record(1, 5.0, done=[["set", "root", change("n", 1)]])

    assert Past(None, starts).at == 0.0
    past = Past(None, starts).follow([first])
    assert (past.turn, past.at, past.values()) == (1, 5.0, {"root": {"n": 1, "_m": 0}})
    assert past.finish(0).values(whole=False) == {"root": {"n": 1}}
    assert past.finish(1).values() == {"root": {"n": 10}} and past.turn == 1
    assert Past(None, starts).finish(0).values() == {"root": {"n": 0, "_m": 0}}


def test_components_whose_beginning_is_not_told_have_what_was_written_since() -> None:
    written = m.Record(8, 1.0, done=[["set", "root", change("n", 1)]])
    told = m.Record(9, 2.0, [heard(m.Changed(0, (m.Change(("x",), m.SET, 5),)))])

    assert Past().follow([written, told]).values() == {"root": {"n": 1}, "root.w": {"x": 5}}


@pytest.mark.parametrize(("failure", "stage"), [(None, "started"), (m.Failure("user_exception", "no"), "failed")])
def test_a_process_without_a_call_is_told_by_its_start(failure: Any, stage: str) -> None:
    begun = m.Record(1, 1.0, done=[["start", "root.w"]])
    assert seen(begun).status() == ("pending", 1.0, "")

    ready = m.Record(2, 2.5, [m.Started("root.w@1", 77), m.Attached("root.w@1", 77), heard(m.Ready(2.25, failure))])
    work = seen(begun, ready)
    assert work.status() == (stage, 2.25, "") and (work.pid, work.attached) == (77, True)

    stopped = m.Record(3, 3.0, done=[["stop", "root.w", False]])
    work = seen(begun, ready, stopped)
    assert work.status() == ("stopped", 3.0, "") and not work.attached


def test_a_process_is_known_before_it_has_dialled_in() -> None:
    assert seen(m.Record(1, 1.0, [m.Started("root.w@1", 77)])).pid == 77


def test_a_call_is_told_through_its_attempts() -> None:
    asked = m.Record(1, 1.0, story=[["opened", "root.w", 1, "k"], ["sent", "root.w", 1, 1]])
    waits = m.Record(2, 2.0, story=[["moved", "root.w", 1, "pending", 1, "no room"]])
    runs = m.Record(3, 3.0, story=[["moved", "root.w", 1, "running", 1, None]])
    retried = m.Record(4, 4.0, story=[["retry", "root.w", 1, 1, 9.0, "user_exception"]])
    again = m.Record(5, 5.0, story=[["sent", "root.w", 1, 2]])

    assert seen(asked).call == CallSeen(1, "k", "(…)", "pending", 1.0, 1, "")
    assert seen(asked, waits).status() == ("pending", 2.0, "no room")
    assert seen(asked, waits, runs).status() == ("running", 3.0, "")
    why = "attempt 1 failed (user_exception); it is made again"
    assert seen(asked, runs, retried).status() == ("pending", 4.0, why)
    assert seen(asked, runs, retried, again).call == CallSeen(1, "k", "(…)", "pending", 4.0, 2, "")


def test_a_call_that_is_made_again_is_the_newest_of_its_work() -> None:
    opened = [["opened", "root.w", 1, "k"], ["opened", "root.w", 2, "l"], ["opened", "root.w", 1, "k"]]

    assert list(seen(m.Record(1, 1.0, story=opened)).calls) == [2, 1]


def test_of_a_call_whose_beginning_is_not_told_its_end_is() -> None:
    ended = m.Record(7, 7.0, story=[["moved", "root.w", 3, "succeeded", 1, None]])
    assert seen(ended).calls == {3: CallSeen(3, "", "(…)", "succeeded", 7.0)}

    sent = m.Record(7, 7.0, story=[["sent", "root.w", 3, 4]])
    assert seen(sent).calls == {3: CallSeen(3, "", "(…)", "pending", 7.0, 4)}


def test_only_a_call_that_ran_waits_again_when_its_process_went_with_its_host() -> None:
    asked = m.Record(1, 1.0, story=[["opened", "root.w", 1, "k"], ["sent", "root.w", 1, 1]])
    runs = m.Record(2, 2.0, story=[["moved", "root.w", 1, "running", 1, None]])
    ended = m.Record(2, 2.0, story=[["moved", "root.w", 1, "succeeded", 1, None]])
    resumed = m.Record(3, 3.0, [], [["resumed", ["root.w@1"]]])

    assert seen(asked, runs, resumed).status() == ("pending", 3.0, "the app was resumed")
    assert seen(asked, ended, resumed).status() == ("succeeded", 2.0, "")
    assert seen(m.Record(1, 1.0, done=[["start", "root.w"]]), resumed).status() == ("pending", 1.0, "")


def test_a_call_that_is_spoken_of_again_is_the_latest_and_one_that_is_not_known_changes_nothing() -> None:
    opened = m.Record(1, 1.0, story=[["opened", "root.w", 1, "k"], ["opened", "root.w", 2, "l"]])

    assert seen(opened, m.Record(2, 2.0, done=[["latest", "root.w", "k"]])).latest == 1
    assert seen(opened, m.Record(2, 2.0, done=[["latest", "root.w", "elsewhere"]])).latest == 2
