"""Works that start together or not at all: what their author says of them.  Starts nothing."""

from __future__ import annotations

import msgspec

from .quantities import BadCompute

STRATEGIES = ("pack", "spread", "strict_pack", "strict_spread")


class Gang(msgspec.Struct, frozen=True):
    """Works that are placed together, all or none, as in training on several machines.

    Each of them is given an equal `Gang` in its `CloudCompute` and runs in parallel.  None is started before `size` of them were asked for
    and there is room for all; what each asks for stays its own until the last of them has ended, so one that is lost or tried again comes
    back to its place.  The others go on meanwhile: what that means for them, the app decides.

    Args:
        name: of the gang within the app, at most 64 characters.
        size: how many works.
        strategy: "pack" (as few machines as possible), "spread" (as many as possible), "strict_pack" (one machine) or "strict_spread"
            (a machine for each).

    Raises:
        BadCompute: (ValueError) a value that no gang can have.

    Example:
        >>> gang = Gang("train", size=4, strategy="strict_spread")
        >>> nodes = [Node(parallel=True, cloud_compute=CloudCompute(devices=8, gang=gang)) for _ in range(4)]  # doctest: +SKIP
    """

    name: str
    size: int
    strategy: str = "pack"

    def __post_init__(self) -> None:
        """Check the values."""
        if not (isinstance(self.name, str) and 0 < len(self.name) <= 64):
            raise BadCompute(f"Gang(name={self.name!r}) is not a text of 1 to 64 characters.")
        if not isinstance(self.size, int) or isinstance(self.size, bool) or self.size < 1:
            raise BadCompute(f"Gang(size={self.size!r}) of {self.name!r} is not a whole number of at least 1.")
        if self.strategy not in STRATEGIES:
            known = ", ".join(f'"{each}"' for each in STRATEGIES)
            raise BadCompute(f"Gang(strategy={self.strategy!r}) of {self.name!r} is not known: give one of {known}.")
