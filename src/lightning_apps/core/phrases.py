"""Words for what happened to calls, for the sentences of `core.story`."""

from __future__ import annotations

from ..base.messages import Failure
from ..base.status import WorkStageStatus as Stage

SETTLED = (Stage.SUCCEEDED, Stage.FAILED, Stage.STOPPED)
REASONS = {
    "user_exception": "its run raised an exception", "died": "its process ended", "timeout": "it took longer than it may",
    "lost": "its machine went away too often", "refused": "the engine can never place it", "pending": "the flow stopped it",
    "sigterm_signal_handler": "its process got SIGTERM from outside", "invalid_return_value": "what it returned cannot be sent",
}  # fmt: skip
AGAIN = {
    Stage.SUCCEEDED: "again; it had succeeded, but its results are not kept (cache_calls=False)",
    Stage.FAILED: "again, after it had failed",
    Stage.STOPPED: "again, after it had been stopped",
}

UNDER_WAY = "it was under way already"
REPEATED = {
    Stage.SUCCEEDED: "its result was there, so it did not run again",
    Stage.FAILED: "it had failed, and is made again only by retry()",
    Stage.STOPPED: "it had been stopped, and is made again only by start() or retry()",
}


def in_words(reason: str) -> str:
    """A reason as people read it; programs go by its own name."""
    return REASONS.get(reason, reason)


def because(reason: str) -> str:
    return in_words(reason) or "of something that is not recorded"


def last_line(failure: Failure | None) -> str:
    text = (failure.message if failure is not None else "").strip()
    return text.splitlines()[-1].strip() if text else "it did not say why."
