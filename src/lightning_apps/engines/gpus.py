"""Which GPUs of this machine may be given out.  Knows nothing of works; asks `nvidia-smi` only when it has to."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

QUERY = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
SECONDS = 5.0


def discover(configured: str | None, visible: str | None, ask: Callable[[], str] | None = None) -> tuple[str, ...]:
    """Ids or UUIDs of the GPUs there are.

    Args:
        configured: the setting `gpus`, which has the last word: "0,1", or "" for none.
        visible: the CUDA_VISIBLE_DEVICES that the app was given; what it leaves out is not ours.
        ask: what prints one UUID a line; `nvidia-smi` unless a test says otherwise.
    """
    if configured is not None:
        return _listed(configured)
    if visible is not None:
        return _cuda_reading(visible)
    return _listed((ask or nvidia_smi)().replace("\n", ","))


def nvidia_smi() -> str:
    """What `nvidia-smi` prints, one UUID a line; "" where it is missing, fails, or does not answer within 5 seconds."""
    try:
        found = subprocess.run(
            QUERY, capture_output=True, text=True, timeout=SECONDS, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _cuda_reading(visible: str) -> tuple[str, ...]:
    """As CUDA reads the variable: whatever follows the first entry that names no device, such as -1, is not seen."""
    found: list[str] = []
    for entry in visible.split(","):
        name = entry.strip()
        if not (name.isdigit() or name.startswith(("GPU-", "MIG-"))):
            break
        found.append(name)
    return tuple(dict.fromkeys(found))
