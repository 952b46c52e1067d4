"""Only a transfer that takes over a second is told of: in lines for people and in numbers for programs."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_apps.storage.progress import Progress


def test_a_transfer_of_over_a_second_is_told_now_and_then_and_at_its_end() -> None:
    lines: list[str] = []
    told: list[Any] = []
    times = iter([10.0, 10.9, 11.5, 12.0, 13.6, 14.0])

    with Progress("w: fetching x", 8 << 20, lines.append, lambda *each: told.append(each), times.__next__) as progress:
        for count in (1, 3, 2, 1):
            progress.more(count << 20)

    assert told == [(4 << 20, 8 << 20, 1.5, False), (7 << 20, 8 << 20, pytest.approx(3.6), False),
                    (7 << 20, 8 << 20, 4.0, True)]  # fmt: skip
    assert lines == [
        "w: fetching x: 4.0 MiB of 8.0 MiB, 2.7 MiB/s, 2 s left",
        "w: fetching x: 7.0 MiB of 8.0 MiB, 1.9 MiB/s, 1 s left",
        "w: fetching x: 7.0 MiB in 4.0 s, 1.8 MiB/s",
    ]


def test_a_short_transfer_is_not_told_of_and_one_that_fails_is_over_without_a_line() -> None:
    lines: list[str] = []
    told: list[Any] = []
    times = iter([0.0, 0.5, 0.9])
    with Progress("x", 0, lines.append, lambda *each: told.append(each), times.__next__) as progress:
        progress.more(1)
    assert (lines, told) == ([], [])

    times = iter([0.0, 2.0, 3.0])
    with (
        pytest.raises(OSError, match="full"),
        Progress("x", 0, lines.append, lambda *each: told.append(each), times.__next__) as progress,
    ):
        progress.more(1024)
        raise OSError("full")
    assert lines == ["x: 1.0 KiB, 512 B/s"] and told == [(1024, 0, 2.0, False), (1024, 0, 3.0, True)]


def test_bytes_that_came_over_the_network_do_not_count_again_when_they_are_put_in_their_place() -> None:
    told: list[Any] = []
    times = iter([0.0, *(2.0 * number for number in range(1, 9))])

    with Progress("x", 10, lambda line: None, lambda *each: told.append(each[0]), times.__next__) as progress:
        progress.arrived(4)
        progress.settled(3)
        progress.settled(3)
        progress.arrived(2)
        progress.settled(5)

    assert told == [4, 4, 6, 8, 11, 11]
