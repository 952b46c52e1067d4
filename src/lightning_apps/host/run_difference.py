"""How two runs differ: code, packages, arguments and outcome.  Reads what was written down of each, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from ..base.errors import LightningError
from ..core.past import differences
from .provenance import CODE
from .run_catalog import past_of, read_json, summary
from .run_folder import RunFolder


class Difference(msgspec.Struct, frozen=True):
    """One thing that two runs do not share."""

    section: str
    what: str
    left: str
    right: str


def compare(left: RunFolder, right: RunFolder) -> list[Difference]:
    """All differences, section by section."""
    found = [_sections(folder) for folder in (left, right)]
    result = []
    for section in SECTIONS:
        before, after = found[0].get(section, {}), found[1].get(section, {})
        for what in sorted({*before, *after}):
            if before.get(what) != after.get(what):
                result.append(Difference(section, what, _shown(before.get(what)), _shown(after.get(what))))
    return result


SECTIONS = ("code", "packages", "arguments", "outcome", "state")
ABSENT = "—"
LONGEST = 200  # letters of a value


def _sections(folder: RunFolder) -> dict[str, Mapping[str, Any]]:
    code, found = read_json(os.path.join(folder.path, CODE)), summary(folder)
    git = code.get("git") or {}
    outcome: dict[str, Any] = {"state": found.state, "turns": found.turns}
    state: dict[str, Any] = {}
    try:
        past = past_of(folder)
    except LightningError:
        """It has recorded nothing."""
    else:
        outcome.update({f"{name} is": work.status()[0] for name, work in past.works.items()})
        state = {
            f"{name}.{attribute}": value for name, attribute, _, value in differences({}, past.values(whole=False))
        }
    return {
        "code": {
            "python": code.get("python"),
            "platform": code.get("platform"),
            "git commit": git.get("commit"),
            "uncommitted changes": (git.get("diff") or {}).get("sha256"),
            **{f"module {name}": digest for name, digest in code.get("modules", {}).items()},
        },
        "packages": code.get("packages", {}),
        "arguments": {"command": " ".join(found.command[1:]), "file": found.file},
        "outcome": outcome,
        "state": state,
    }


def _shown(value: Any) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else repr(value)
    if len(text) in (40, 64) and all(letter in "0123456789abcdef" for letter in text):
        return text[:12]
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
