"""`explore`: somebody dies at every point of an app, and the smallest sequence that breaks something is told."""

from __future__ import annotations

import re
from typing import Any

import lightning as L
import pytest
from lightning.testing import AppTest, InvariantBroken, KitError, explore

from testing.apps import Train


class Charge(L.LightningWork):
    """Takes money; `paid` outside of all state, as a bank would."""

    def __init__(self, retries: int = 5) -> None:
        super().__init__(parallel=True, retries=retries, backoff=0.1)
        self.tries = 0

    def run(self, amount: int) -> int:
        self.tries += 1
        return amount


class Shop(L.LightningFlow):
    """Charges twice, notes each, stops."""

    def __init__(self, retries: int = 5) -> None:
        super().__init__()
        self.charge = Charge(retries)
        self.paid: Any = []

    def run(self) -> None:
        for amount in (3, 4):
            done = self.charge.run(amount)
            if done is not None and done not in self.paid:
                self.paid.append(done)
        if len(self.paid) == 2:
            self.stop()


class Forgetful(Shop):
    """Counts in an attribute that is no state: gone with its host."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self.count = 0

    def run(self) -> None:
        self._count += 1
        if self._count == 2:
            self.count += 1
        super().run()


class Edge(Shop):
    """Stops only in the very turn in which the second payment comes."""

    def run(self) -> None:
        before = len(self.paid)
        for amount in (3, 4):
            done = self.charge.run(amount)
            if done is not None and done not in self.paid:
                self.paid.append(done)
        if before == 1 and len(self.paid) == 2:
            self.stop()


def test_an_app_that_bears_everything_is_told_as_such() -> None:
    tried = explore(Shop)

    assert tried.points >= 20 and tried.runs > 1.5 * tried.points


def test_an_app_that_keeps_something_outside_its_state_ends_otherwise_and_is_found() -> None:
    with pytest.raises(
        InvariantBroken, match=r"ends otherwise than undisturbed: vars\.count is \d and not 1"
    ) as caught:
        explore(Forgetful)

    assert re.search(r"\n  the host died in turn \d+, .*\(point \d+\)\n", str(caught.value))


def test_a_stop_that_is_said_only_once_is_found() -> None:
    with pytest.raises(InvariantBroken, match="AppWaits: The app has nothing to do") as caught:
        explore(Edge, who=["host"])

    assert "after its record" in str(caught.value)


def test_what_is_printed_replays_that_one_run() -> None:
    with pytest.raises(InvariantBroken) as first:
        explore(Edge)
    (replay,) = re.findall(r'replay="(.*)"', str(first.value))

    with pytest.raises(InvariantBroken) as again:
        explore(Edge, replay=replay)

    assert str(again.value).split(" (found")[0] == str(first.value).split(" (found")[0]
    assert "found in 2 runs" in str(again.value)


def test_an_invariant_is_looked_at_after_every_turn_and_the_app_can_be_looked_at() -> None:
    with pytest.raises(InvariantBroken, match=r"at_most_one_try is False.\nThis was seen in turn") as caught:
        explore(Shop, invariant=at_most_one_try)

    assert isinstance(caught.value.app, AppTest)
    assert max(call.attempts for call in caught.value.app.calls) == 2


def at_most_one_try(app: AppTest) -> bool:
    return all(call.attempts <= 1 for call in app.calls)


def test_an_assertion_in_an_invariant_is_told_in_its_own_words() -> None:
    def holds(app: AppTest) -> None:
        assert app.root.paid != [3], "three was paid"

    with pytest.raises(InvariantBroken, match="AssertionError: three was paid") as caught:
        explore(Shop, invariant=holds)

    assert isinstance(caught.value.__cause__, AssertionError) and "after no death at all" in str(caught.value)


def test_a_work_whose_death_ends_the_app_is_no_breach_by_itself() -> None:
    explore(lambda: Shop(retries=0), who=["works"], invariant=lambda app: app.exit_code in (None, 0, 1))


def test_a_work_whose_death_breaks_what_should_hold_is_named() -> None:
    with pytest.raises(InvariantBroken, match=r"\n  root\.charge died in turn \d+"):
        explore(lambda: Shop(retries=0), invariant=lambda app: app.exit_code in (None, 0))


def test_a_play_goes_on_through_deaths() -> None:
    def play(app: AppTest) -> None:
        app.works["charge"].say(tries=1)
        app.settle()
        app.works["charge"].finish(3)
        app.works["charge"].finish(4)
        assert app.finish() == 0
        assert app.root.paid == [3, 4]

    explore(Shop, play)


def test_two_deaths_are_shrunk_to_the_one_that_matters() -> None:
    class Sturdy(Shop):
        def run(self) -> None:
            super().run()
            self._hosts = getattr(self, "_hosts", 0) + 1

    with pytest.raises(InvariantBroken) as caught:
        explore(
            Sturdy, who=["host"], deaths=3, runs=50, invariant=lambda app: app.stage.hosts < 3 or len(app.root.paid) < 1
        )

    assert "after 2 deaths" in str(caught.value) and str(caught.value).count("the host died in turn") == 2


def test_every_turn_has_fewer_points_than_every_step() -> None:
    assert explore(Shop, crashes="every-turn").points < explore(Shop).points


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"crashes": "sometimes"}, "every-step or every-turn, not 'sometimes'"),
        ({"who": ["hosts"]}, r"Nobody is called 'hosts': did you mean 'host'\?"),
        ({"replay": "host:3"}, r"words such as host@12 or root\.train@7, not 'host:3'"),
    ],
)
def test_what_cannot_be_explored_is_said(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError, match=sentence):
        explore(Shop, **how)


def test_an_app_that_is_one_object_cannot_be_run_many_times() -> None:
    with pytest.raises(KitError, match=r"give what makes it, as Shop or lambda: Shop"):
        explore(Shop())


def test_nothing_of_the_many_runs_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    class Loud(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = Train()

        def run(self) -> None:
            print("loud")
            if self.w.run(1.0):
                self.stop()

    explore(Loud)

    assert capsys.readouterr() == ("", "")


def test_a_failure_that_was_played_is_played_once_however_often_its_attempt_is_lost() -> None:
    def play(app: AppTest) -> None:
        app.works["charge"].fail(ValueError("declined"))
        app.works["charge"].finish(3)
        app.works["charge"].finish(4)
        assert app.finish() == 0
        assert [call.value for call in app.calls] == [3, 4]

    explore(Shop, play)
