"""The details of calls as bytes and back, quickly: a snapshot holds a thousand of each work.  Knows nothing of how calls move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..base.encoding import encode
from ..base.messages import Failure
from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus
from ..model.retry import Policy


class Details(msgspec.Struct, array_like=True):
    """The fields of a `Call`, in order; what may be any value of a user is encoded by itself."""

    ordinal: int
    key: str
    arguments: bytes
    stage: str
    statuses: list[WorkStatus]
    attempt: int
    sent: bool
    value: bytes
    failure: Failure | None
    lost: int
    policy: Policy
    failures: int
    timeouts: int
    not_before: float
    deadline: float
    checkpoint: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Details])


def to_bytes(calls: Iterable[Any]) -> bytes:
    """All of these `Call`s."""
    details = [
        Details(
            c.ordinal, c.key, c.arguments, c.stage, c.statuses, c.attempt, c.sent, _any(c.value), c.failure, c.lost, c.policy,
            c.failures, c.timeouts, c.not_before, c.deadline, _any(c.checkpoint),
        )
        for c in calls
    ]  # fmt: skip
    try:
        return _encoder.encode(details)
    except UnicodeEncodeError:  # half a character in somebody's message
        return _encoder.encode([_readable(each) for each in details])


def from_bytes(data: bytes) -> list[Details]:
    """What `to_bytes` was given."""
    return _decoder.decode(data)


def without_told(snapshot: bytes) -> bytes:
    """An encoded snapshot without the arguments of calls that have succeeded: they are told of, and needed by nothing."""
    kept = msgspec.msgpack.decode(snapshot)
    if not isinstance(kept, dict) or not isinstance(kept.get("lives"), dict):
        return snapshot
    for life in kept["lives"].values():
        calls = life["calls"]
        calls["calls"] = _encoder.encode(
            [
                msgspec.structs.replace(each, arguments=b"") if each.stage == Stage.SUCCEEDED else each
                for each in from_bytes(calls["calls"])
            ]
        )
    return _encoder.encode(kept)


def _any(value: Any) -> bytes:
    return b"" if value is None else encode(value)


def _readable(details: Details) -> Details:
    statuses = [
        msgspec.structs.replace(each, reason=_text(each.reason), message=_text(each.message))
        for each in details.statuses
    ]
    failure = details.failure
    if failure is not None:
        failure = msgspec.structs.replace(failure, message=_text(failure.message) or "")
    return msgspec.structs.replace(details, statuses=statuses, failure=failure)


def _text(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="backslashreplace").decode()
