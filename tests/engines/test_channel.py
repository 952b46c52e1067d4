"""Frames between keeper, zygote and host."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.messages import Exited
from lightning_apps.engines.channel import Channel, Closed, Failed, ForkHost, Reaped


@given(st.lists(st.one_of(st.builds(Reaped, st.integers(0, 1 << 31), st.integers(0, 1 << 16)), st.just(Closed()))))
def test_messages_arrive_in_order(messages: list[Reaped | Closed]) -> None:
    left, right = Channel.pair()

    for message in messages:
        left.tell(message)
    left.close()

    heard = []
    while not right.closed:
        heard += right.receive()
    assert heard == messages
    right.close()


def test_telling_never_waits_and_loses_nothing() -> None:
    left, right = Channel.pair()
    text = "x" * (1 << 20)

    for number in range(4):
        left.tell(Failed(text, number))
    assert left.waiting

    heard = []
    while len(heard) < 4:
        heard += right.receive(wait=False)
        left.flush()
    assert heard == [Failed(text, number) for number in range(4)]


def test_a_descriptor_travels_and_is_not_inherited() -> None:
    left, right = Channel.pair()
    read, write = os.pipe()

    left.send(ForkHost(), write)
    os.close(write)

    assert right.receive() == [ForkHost()]
    (received,) = right.descriptors
    os.write(received, b"hello")
    assert os.read(read, 5) == b"hello"
    assert not os.get_inheritable(received)


def test_nobody_at_the_other_end_is_an_end_and_no_error() -> None:
    left, right = Channel.pair()
    right.close()

    left.tell(Exited("root.a@1"))
    left.tell(Exited("root.a@2"))

    assert left.receive() == []
    assert left.closed
