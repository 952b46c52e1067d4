"""Values that want to know whose state they are part of are told once, whatever the list that they came into holds already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lightning_apps.base.messages import SET, SPLICE, Change
from lightning_apps.base.registry import StateValue, registry
from lightning_apps.model.work import LightningWork


class Badge:
    """Remembers whom it was told to be part of."""

    def __init__(self, owners: tuple[str, ...] = ()) -> None:
        self.owners = owners


def told(badge: Badge, owner: Any, name: str) -> Badge:
    return Badge((*badge.owners, name))


class Holder(LightningWork):
    def __init__(self) -> None:
        super().__init__()
        self.badges: list[Badge] = []
        self.by_name: dict[str, Any] = {"a": []}

    def run(self) -> None:
        """Never called."""


@pytest.fixture
def holder() -> Iterator[Holder]:
    before = registry.adopting
    registry.add(
        StateValue("badge", Badge, lambda badge: list(badge.owners), lambda owners: Badge(tuple(owners)), adopt=told)
    )
    yield Holder()
    del registry.by_type[Badge], registry.by_name["badge"]
    registry.adopting = before


def test_a_splice_from_elsewhere_tells_only_what_came_with_it(holder: Holder) -> None:
    for at in range(3):
        assert holder._lit_apply(Change(("badges",), SPLICE, (at, 0, [Badge()])))

    assert [badge.owners for badge in holder.badges] == [("badges",)] * 3


def test_what_came_into_a_place_further_inside_is_told_the_attribute(holder: Holder) -> None:
    assert holder._lit_apply(Change(("by_name", "a"), SPLICE, (0, 0, [Badge(), 1])))
    assert holder._lit_apply(Change(("by_name", "b"), SET, Badge()))
    assert holder._lit_apply(Change(("by_name", "a", 1), SET, Badge()))
    assert holder._lit_apply(Change(("badges",), SET, [Badge()]))

    assert [badge.owners for badge in holder.by_name["a"]] == [("by_name",)] * 2
    assert holder.by_name["b"].owners == ("by_name",)
    assert holder.badges[0].owners == ("badges",)


def test_a_splice_that_does_not_fit_tells_nobody(holder: Holder) -> None:
    holder._lit_apply(Change(("badges",), SET, [Badge()]))

    assert not holder._lit_apply(Change(("badges",), SPLICE, (1, 4, [Badge()])))

    assert [badge.owners for badge in holder.badges] == [("badges",)]
