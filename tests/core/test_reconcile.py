"""A run that is taken up by edited code: attributes that are gone or new are told of, refused if asked, or migrated."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_apps.base.encoding import decode, encode
from lightning_apps.base.errors import StateMismatch
from lightning_apps.base.messages import Say
from lightning_apps.core.coordinator import Coordinator, Options
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.work import LightningWork


class Before(LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.kept, self.old = 0, [1]

    def run(self) -> None:
        self.kept = 7


class After(LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.kept, self.fresh = 0, "new"

    def run(self) -> None:
        """Nothing more."""


class Migrating(After):
    def load_state_dict(self, flow_state: Any, children_states: Any, strict: bool = True) -> None:
        super().load_state_dict(flow_state, children_states, strict)
        self.fresh = f"from {flow_state['vars']['old']}"


FORMER = {"root": {"kept": 0, "old": [1]}}


def saved() -> Any:
    first = Coordinator(Before())
    first.begin(1.0)
    first.step([], 1.0)
    return decode(encode(first.snapshot()))


def test_what_the_code_has_no_more_is_dropped_and_what_is_new_begins_as_the_code_says() -> None:
    later = Coordinator(After())

    outcome = later.restore(saved(), now=2.0, former=FORMER)

    told = [effect.message for effect in outcome.effects if isinstance(effect, Say)]
    assert [line.split(" is ")[0] for line in told] == ["root.old", "root.fresh"]
    assert (later.root.kept, later.root.fresh, hasattr(later.root, "old")) == (7, "new", False)


def test_strict_refuses_to_resume_and_names_both() -> None:
    later = Coordinator(After(), Options(strict=True))

    with pytest.raises(StateMismatch, match=r"root\.old .*root\.fresh"):
        later.restore(saved(), now=2.0, former=FORMER)


def test_a_flow_that_loads_its_state_itself_gets_the_old_one() -> None:
    later = Coordinator(Migrating())

    later.restore(saved(), now=2.0, former=FORMER)

    assert (later.root.kept, later.root.fresh) == (7, "from [1]")


def test_strict_leaves_to_a_flow_that_loads_its_state_itself_what_is_gone_and_new() -> None:
    later = Coordinator(Migrating(), Options(strict=True))

    outcome = later.restore(saved(), now=2.0, former=FORMER)

    told = [(effect.level, effect.message) for effect in outcome.effects if isinstance(effect, Say)]
    assert later.root.fresh == "from [1]"
    assert told == [
        ("info", "root.old is in the saved state and not in the code any more: root.load_state_dict is given it."),
        ("info", "root.fresh is new in the code: it begins as 'new'."),
    ]


class OldWork(LightningWork):
    def __init__(self) -> None:
        super().__init__(start_with_flow=False)
        self.kept, self.old = 3, "old"

    def run(self) -> None:
        """Never called."""


class NewWork(LightningWork):
    def __init__(self) -> None:
        super().__init__(start_with_flow=False)
        self.kept = 0

    def run(self) -> None:
        """Never called."""


class Above(LightningFlow):
    def __init__(self, work: LightningWork) -> None:
        super().__init__()
        self.work, self._heard = work, []

    def run(self) -> None:
        self.work.kept = 5

    def load_state_dict(self, flow_state: Any, children_states: Any, strict: bool = True) -> None:
        self._heard.append(children_states["work"]["vars"]["old"])
        super().load_state_dict(flow_state, children_states, strict)


def test_a_flow_that_loads_its_state_itself_answers_for_its_works() -> None:
    first = Coordinator(Above(OldWork()))
    first.begin(1.0)
    first.step([], 1.0)
    later = Coordinator(Above(NewWork()), Options(strict=True))

    later.restore(decode(encode(first.snapshot())), now=2.0, former={"root.work": {"kept": 3, "old": "old"}})

    assert (later.root._heard, later.root.work.kept, hasattr(later.root.work, "old")) == (["old"], 5, False)


def test_the_same_code_is_told_nothing() -> None:
    outcome = Coordinator(Before(), Options(strict=True)).restore(saved(), now=2.0, former=FORMER)

    assert not [effect for effect in outcome.effects if isinstance(effect, Say)]
