"""How two values of two runs are shown side by side."""

from __future__ import annotations

from lightning_apps.host.run_difference import told_apart


def test_short_values_are_shown_whole_and_what_is_not_there_as_a_dash():
    assert told_apart([1, 2], None) == ("[1, 2]", "—")


def test_of_long_values_the_part_is_shown_in_which_they_begin_to_differ():
    shared = list(range(100))

    left, right = told_apart(shared, [*shared, "more"])

    assert (left, right) == ("…, 95, 96, 97, 98, 99]", "…, 95, 96, 97, 98, 99, 'more']")
    assert max(len(left), len(right)) <= 80


def test_digests_are_shortened():
    assert told_apart("ab" * 20, "cd" * 20) == ("ab" * 6, "cd" * 6)
