"""How often a failed call is made again, how long each time waits, and how long one attempt may take.  Pure arithmetic."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from ..base.errors import ComponentError


class Backoff(msgspec.Struct, frozen=True):
    """Growing pauses between attempts: exponential, capped, with jitter.

    Attributes:
        first: seconds before the second attempt.
        factor: how much longer each further pause is.
        longest: seconds no pause exceeds.
        jitter: share of the pause that is random, 0 to 1; spreads out works that failed together.
    """

    first: float = 1.0
    factor: float = 2.0
    longest: float = 60.0
    jitter: float = 0.5

    def pause(self, failures: int, seed: str) -> float:
        """Seconds after the `failures`-th failure; the same for the same seed, so that a resumed run agrees."""
        whole = min(self.longest, self.first * self.factor ** min(failures - 1, 64))
        share = int.from_bytes(hashlib.blake2b(f"{seed}/{failures}".encode(), digest_size=8).digest(), "big") / 2**64
        return whole * (1 - self.jitter * share)


class Policy(msgspec.Struct, frozen=True):
    """What one call may do when it fails.

    Attributes:
        retries: attempts after the first that failed.
        backoff: pauses between them.
        timeout: seconds one attempt may take from its beginning; None: any time.
    """

    retries: int = 0
    backoff: Backoff = Backoff()
    timeout: float | None = None


def policy(retries: Any, backoff: Any, timeout: Any) -> Policy:
    """A checked policy; `backoff` may be plain seconds.

    Raises:
        ComponentError: a value that makes no sense.
    """
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ComponentError(f"retries={retries!r}: how often a failed call is made again is a whole number from 0.")
    if timeout is not None and not (isinstance(timeout, (int, float)) and timeout > 0):
        raise ComponentError(
            f"timeout={timeout!r}: how long an attempt may take is a number of seconds above 0, or None."
        )
    if isinstance(backoff, (int, float)) and not isinstance(backoff, bool) and backoff >= 0:
        backoff = Backoff(first=float(backoff), factor=1.0, longest=float(backoff), jitter=0.0)
    if backoff is None:
        backoff = Backoff()
    if not isinstance(backoff, Backoff):
        raise ComponentError(f"backoff={backoff!r}: give seconds, or a Backoff(first, factor, longest, jitter).")
    return Policy(retries, backoff, None if timeout is None else float(timeout))


__all__ = ["Backoff", "Policy", "policy"]
