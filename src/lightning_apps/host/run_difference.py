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
                result.append(Difference(section, what, *told_apart(before.get(what), after.get(what))))
    return result


SECTIONS = ("code", "packages", "arguments", "outcome", "state")
ABSENT = "—"
LONGEST, BEFORE = 80, 20  # letters of a value that are shown, and how many of them stand before the first that differs


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


def told_apart(left: Any, right: Any) -> tuple[str, str]:
    """Two values as they are shown: of long ones the part in which they begin to differ."""
    texts = _text(left), _text(right)
    pairs = enumerate(zip(*texts, strict=False))
    shared = next((at for at, (one, other) in pairs if one != other), min(map(len, texts)))
    start = max(0, shared - BEFORE) if max(map(len, texts)) > LONGEST else 0
    return _cut(texts[0], start), _cut(texts[1], start)


def _text(value: Any) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else repr(value)
    is_digest = len(text) in (40, 64) and all(letter in "0123456789abcdef" for letter in text)
    return text[:12] if is_digest else text


def _cut(text: str, start: int) -> str:
    part = f"…{text[start:]}" if start else text
    return part if len(part) <= LONGEST else f"{part[: LONGEST - 1]}…"
