"""When a run is over: how it ended, and what a terminal is told of how it is taken up again.  Knows neither processes nor the flow."""

from __future__ import annotations

import os
import shlex

from ..base.errors import LightningError
from ..base.log import Log
from ..storage.history import History
from .run_folder import RunFolder

ADVICE = {
    130: "To go on from there",
    1: "To go on from there, with the file mended or as it is",
}  # by exit code: whoever ends an app otherwise knows what to do, or has ended it for good


def tell_how_to_go_on(code: int, folder: RunFolder, file: str, run_dir: str | None, log: Log) -> None:
    """After a run that was cut short or failed and has anything to go on from.

    Args:
        code: its exit code.
        file: the app file, as it was given.
        run_dir: where folders of runs are made, as it was given.
    """
    if code not in ADVICE or not _begun(folder):
        return
    where = f" --run-dir {shlex.quote(run_dir)}" if run_dir else ""
    log.info(f"{ADVICE[code]}: lightning run app {shlex.quote(os.fspath(file))} --resume {folder.id}{where}")


def code_of(folder: RunFolder) -> int:
    """The exit code that the app of a run has recorded before its process was killed; 1 if it has none."""
    try:
        with History(folder.journal) as history:
            return int(history.get("ended") or "1")
    except LightningError:
        return 1


def _begun(folder: RunFolder) -> bool:
    """Whether its flow has done anything; the first turn only starts works."""
    try:
        with History(folder.journal) as history:
            return history.last()[0] > 1 and history.get("ended") != "0"
    except LightningError:
        return False
