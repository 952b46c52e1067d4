"""What came of it: the table for docs/mutation.md, or every mistake that nobody noticed.  Runs no test.

usage: report.py VERDICTS [MODULE …]        with modules: those that survived there, each with its line
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from judge import CORE, mistakes_of
from mistakes import Mistake

SAME = Path(__file__).with_name("equivalent.txt")
NOTICED = ("killed", "endless")
COLUMNS = ("killed", "endless", "survived", "untouched", "same", "spoken", "open")


def verdicts(path: Path, mistakes: list[Mistake]) -> dict[str, str]:
    """The last verdict of each mistake whose function is as it was then."""
    hashes = {it.name: it.hash for it in mistakes}
    lines = map(json.loads, path.read_text().splitlines())
    return {it["name"]: it["verdict"] for it in lines if hashes.get(it["name"]) == it["hash"]}


def judged_equivalent() -> set[tuple[str, str]]:
    """Function and change of each that changes nothing anybody could see, as somebody has judged."""
    rows = (line.split("\t") for line in SAME.read_text().splitlines() if line and line[0] != "#")
    return {(function, change) for function, change, _ in rows}


def change(mistake: Mistake) -> str:
    return f"{mistake.before} → {mistake.after}"


def column(mistake: Mistake, verdict: str | None, same: set[tuple[str, str]]) -> str:
    """Where a mistake is counted."""
    if mistake.spoken:
        return "spoken"  # noticed or not
    if verdict is None or verdict in NOTICED:
        return verdict or "open"
    return "same" if (f"{mistake.module}.{mistake.function}", change(mistake)) in same else verdict


def table(mistakes: list[Mistake], said: dict[str, str]) -> str:
    same = judged_equivalent()
    counts = {module: Counter[str]() for module in sorted({it.module for it in mistakes})}
    for mistake in mistakes:
        counts[mistake.module][column(mistake, said.get(mistake.name), same)] += 1
    whole = sum(counts.values(), Counter[str]())
    rows = [*counts.items(), ("**all**", whole)]
    lines = [f"| {name} | {' | '.join(str(row[it]) for it in COLUMNS)} |" for name, row in rows]
    noticed, missed = whole["killed"] + whole["endless"], whole["survived"] + whole["untouched"]
    of_all = 100 * noticed / max(1, noticed + missed + whole["same"])
    without = 100 * noticed / max(1, noticed + missed)
    head = f"| module | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}"
    foot = f"\n{of_all:.1f} % outside messages; {without:.1f} % without those judged to change nothing"
    return "\n".join([head, *lines, foot])


def main() -> None:
    path, modules = Path(sys.argv[1]), sys.argv[2:]
    mistakes = mistakes_of(CORE, path)
    said = verdicts(path, mistakes)
    if not modules:
        print(table(mistakes, said))
        return
    same = judged_equivalent()
    for mistake in mistakes:
        where = column(mistake, said.get(mistake.name), same)
        if where in ("survived", "untouched") and mistake.module in modules:
            print(f"{mistake.module}.{mistake.function}\t{change(mistake)}\t{where}, line {mistake.line}")


if __name__ == "__main__":
    main()
