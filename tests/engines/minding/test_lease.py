"""Leases: whatever is lost or late on the way, the worker has ended before another is allowed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.engines.minding.lease import MARGIN, Lease, Sight, pause

DELAYS = st.one_of(st.none(), st.floats(0, 30))  # of a beat on its way, and of its answer; None: lost


def test_a_lease_without_patience_never_ends():
    lease = Lease(None)

    lease.begin(0.0)

    assert not lease.over(1e9)
    assert Sight(None, 0.0).replaceable_at() is None


def test_an_answer_renews_from_the_moment_its_beat_was_sent():
    lease = Lease(10.0)
    lease.begin(0.0)

    number = lease.beat(4.0)
    lease.answered(number)

    assert lease.until == 14.0


def test_an_answer_to_a_beat_of_a_lost_connection_does_not_count():
    lease = Lease(10.0)
    lease.begin(0.0)
    number = lease.beat(4.0)

    lease.lost()
    lease.answered(number)

    assert lease.until == 10.0


def test_an_older_answer_does_not_shorten_a_lease():
    lease = Lease(10.0)
    lease.begin(0.0)
    one, other = lease.beat(1.0), lease.beat(2.0)

    lease.answered(other)
    lease.answered(one)

    assert lease.until == 12.0


def test_sigterm_comes_before_the_end_of_the_lease():
    lease = Lease(4.0)
    lease.begin(0.0)

    assert not lease.asked_to_end(2.9)
    assert lease.asked_to_end(3.0)
    assert not lease.over(3.9)
    assert lease.over(4.0)


@given(st.floats(0.5, 60), st.lists(st.tuples(st.floats(0.01, 5), DELAYS, DELAYS), max_size=40), st.floats(0, 20))
def test_the_desk_never_replaces_a_worker_before_its_lease_is_over(patience, beats, admitted_after):
    """Each beat is sent some time after the one before, arrives late or never, and so does its answer."""
    lease, sight = Lease(patience), Sight(patience, admitted_after)
    lease.begin(0.0)  # asked at 0, heard at `admitted_after`
    moment, events = 0.0, []
    for wait, there, back in beats:
        moment += wait
        number = lease.beat(moment)
        if there is not None:
            events.append((moment + there, "heard", number))
            if back is not None:
                events.append((moment + there + back, "answered", number))
    for at, what, number in sorted(events):
        if what == "heard":
            sight.heard(max(sight.last, at))
        elif lease.until is not None and at < lease.until:  # later, the worker has ended already
            lease.answered(number)

    assert lease.until is not None
    assert sight.replaceable_at() >= lease.until + MARGIN * 0.99


def test_beats_are_frequent_enough_for_several_to_be_lost():
    for patience in (0.5, 2.0, 60.0, 3600.0):
        assert 4 * pause(patience) < patience or pause(patience) == 0.05
