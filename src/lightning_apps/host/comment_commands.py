"""Finds the commands that an app file asks for in its first comments (`# !pip install …`).  Runs none of them."""

from __future__ import annotations


def commands_of(path: str) -> list[tuple[int, str]]:
    """The commands in the comment lines at the top of the file, each with its line number (from 1)."""
    commands = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip().lstrip("\ufeff")
            if text and not text.startswith("#"):
                break
            text = text.lstrip("#").strip()
            if text.startswith("!") and not (
                number == 1 and line.startswith("#!") and text[1:].lstrip().startswith("/")
            ):
                commands.append((number, text[1:].strip()))
    return [(number, command) for number, command in commands if command]
