"""What a worker wrote, until the desk has it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.engines.minding.output import Spool


def sent(spool: Spool) -> bytes:
    return b"".join(piece.data for piece in spool.to_send())


def test_what_was_written_is_sent_once_on_a_connection():
    spool = Spool("out")
    spool.wrote(b"one\n")

    assert sent(spool) == b"one\n"
    assert sent(spool) == b""


def test_what_was_not_acknowledged_is_sent_again_on_the_next_connection():
    spool = Spool("out")
    spool.wrote(b"one\ntwo\n")
    sent(spool)
    spool.acknowledged(4)

    spool.reconnected(4)

    assert [(piece.offset, piece.data) for piece in spool.to_send()] == [(4, b"two\n")]


def test_what_nobody_took_is_dropped_in_whole_lines():
    spool = Spool("out", limit=10)

    spool.wrote(b"aaaa\nbbbb\ncccc\n")

    assert [(piece.offset, piece.data) for piece in spool.to_send()] == [(5, b"bbbb\ncccc\n")]


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=20), st.just(None)), max_size=30), st.data())
def test_the_desk_gets_every_byte_once_and_in_order_whatever_is_cut(steps, data):
    """A step is output, or the loss of the connection with some of what was sent never taken."""
    spool, kept, written = Spool("out"), b"", b""
    for step in steps:
        if step is not None:
            written += step
            spool.wrote(step)
        pieces = spool.to_send()
        taken = data.draw(st.integers(0, len(pieces))) if step is None else len(pieces)
        for piece in pieces[:taken]:
            assert piece.offset <= len(kept)
            kept += piece.data[len(kept) - piece.offset :]
        if step is None:
            spool.reconnected(len(kept))
        elif data.draw(st.booleans()):
            spool.acknowledged(len(kept))
    spool.reconnected(len(kept))
    for piece in spool.to_send():
        kept += piece.data[len(kept) - piece.offset :]

    assert kept == written
