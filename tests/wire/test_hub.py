"""Who is let in by the hub, who is told that it is over, and who is told nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.base import messages as m
from lightning_apps.wire import codec
from lightning_apps.wire.hub import Hub
from lightning_apps.wire.link import dial
from lightning_apps.wire.pump import Pump

PLACE = "root.w@1"


class Door:
    """A hub, and strangers that knock."""

    def __init__(self, folder: Path) -> None:
        self.pump, self.events = Pump(), []
        self.hub = Hub(f"unix:{folder}/hub", self.pump, self.events.append, b"secret", 2)
        self.hub.complete = True

    def knock(self, token: str, place: str = PLACE, generation: int = 1, protocol: int = m.PROTOCOL) -> Any:
        """What the hub says to these first words: a message, or None if it hangs up without one."""
        with dial(self.hub.address) as sock:
            sock.sendall(codec.frame(codec.dump(m.Hello(place, token, 7, generation, protocol=protocol))))
            sock.settimeout(0.01)
            heard = b""
            for _ in range(500):
                self.pump.take(0.005)
                if self.events:
                    return self.events[-1]
                try:
                    data = sock.recv(4096)
                except TimeoutError:
                    continue
                if not data:
                    break
                heard += data
        frames = [codec.load_to_worker(payload) for _, payload in codec.Frames().feed(heard)]
        return frames[0] if frames else None

    def close(self) -> None:
        self.hub.close()
        self.pump.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    yield made
    made.close()


def test_a_worker_that_is_expected_is_let_in(door: Door) -> None:
    token = door.hub.expect(PLACE)

    assert door.knock(token) == m.Attached(PLACE, 7)


def test_how_far_a_transfer_is_comes_to_the_host_beside_what_is_numbered(door: Door) -> None:
    words = m.Hello(PLACE, door.hub.expect(PLACE), 7)
    transfer = m.Transfer("fetching", "big", 1 << 30, 1 << 31, 1.5)

    with dial(door.hub.address) as sock:
        sock.sendall(codec.frame(codec.dump(words)) + codec.frame(codec.dump(transfer)))
        for _ in range(500):
            door.pump.take(0.005)
            if len(door.events) > 1:
                break

    assert door.events == [m.Attached(PLACE, 7), m.Transferred(PLACE, transfer)]


@pytest.mark.parametrize("protocol", [m.OLDEST - 1, m.OLDEST, m.PROTOCOL, m.PROTOCOL + 1])
def test_a_worker_that_speaks_another_version_is_let_in_only_if_it_is_understood(door: Door, protocol: int) -> None:
    answer = door.knock(door.hub.expect(PLACE), protocol=protocol)

    if m.OLDEST <= protocol <= m.PROTOCOL:
        assert answer == m.Attached(PLACE, 7)
    else:
        assert answer == m.Rejected(f"the host speaks version {m.PROTOCOL}, this worker version {protocol}")


def test_an_attempt_that_is_over_is_told_so_when_it_comes_back(door: Door) -> None:
    token = door.hub.expect(PLACE)
    door.hub.dismiss(PLACE)

    answer = door.knock(token)

    assert isinstance(answer, m.Rejected) and "another may have taken its place" in answer.reason
    assert door.events == []


def test_a_host_that_does_not_know_yet_whom_it_expects_tells_nobody_to_end(door: Door) -> None:
    token = door.hub.expect(PLACE)
    door.hub.dismiss(PLACE)
    door.hub.complete = False

    assert door.knock(token) is None


@pytest.mark.parametrize("expected", [True, False])
def test_a_wrong_token_and_a_worker_of_a_later_host_are_told_nothing(door: Door, expected: bool) -> None:
    token = door.hub.expect(PLACE)
    if not expected:
        door.hub.dismiss(PLACE)

    assert door.knock(token[::-1]) is None
    assert door.knock(token, "root.w@2") is None
    assert door.knock(token, generation=3) is None
    assert door.events == []
