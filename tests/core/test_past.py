"""The state of a run from its records: what the coordinator has is what the past tells, at every turn."""

from __future__ import annotations

import random
from typing import Any

import lightning as L
import pytest

from lightning_apps.base import messages as m
from lightning_apps.base.encoding import encode
from lightning_apps.base.values import plain
from lightning_apps.core.past import Past, differences

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
    before, after = {"root": {"a": 1, "b": 2}, "root.x": {"y": 0}}, {"root": {"a": 1, "b": 3, "c": None}}

    assert list(differences(before, after)) == [
        ("root", "b", 2, 3), ("root", "c", None, None), ("root.x", "y", 0, None),
    ]  # fmt: skip
