"""The runs there are: found by name, summed up, looked into, removed, forked.  Never writes into a run that it does not make."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

import msgspec

from ..base.errors import LightningError, RunError
from ..base.registry import registry
from ..base.settings import Settings
from ..core.past import Past
from ..core.story import Story
from ..storage.carried import Drive, Path, Payload
from ..storage.history import ALL, History
from ..storage.journal import SqliteJournal
from ..storage.shelf_of_values import ValueShelf
from ..storage.store import Store
from . import first_state, forked_files
from .reclaiming import reclaim
from .run_folder import RunFolder, all_runs, base_folder, create, write_json

READABLE = (Drive, Path, Payload)  # types beyond the base that states may hold
RUNNING, STARTING, FORKED, INTERRUPTED = "running", "starting", "forked", "interrupted"
ALL_RUNS_KEPT = 1 << 30
WEB, LOCAL = "web.json", ("127.0.0.1", "0.0.0.0", "localhost", "::1", "::", "")  # where a run is served


class Summary(msgspec.Struct):
    """One run on one line; `started` and `changed` in seconds since the epoch."""

    id: str
    file: str
    started: float
    state: str
    turns: int = 0
    changed: float = 0.0
    size: int = 0
    command: list[str] = []
    forked_from: dict[str, Any] | None = None


def choose(settings: Settings, wanted: str = "last") -> RunFolder:
    """The run with this id, or the only one whose id begins or ends so; "last": the newest.

    Raises:
        RunError: there is none, or more than one.
    """
    base = base_folder(settings)
    runs = all_runs(base)
    if not runs:
        raise RunError(f"There are no runs in {base}; name another folder with --run-dir.")
    if wanted in ("last", ""):
        found = runs[-1:]
    else:
        found = [name for name in runs if name == wanted] or [
            name for name in runs if name.startswith(wanted) or name.endswith(wanted)
        ]
    if len(found) != 1:
        what = "no run" if not found else f"more than one run ({', '.join(found[:3])})"
        raise RunError(f"There is {what} {wanted!r} in {base}; `lightning runs` lists them.")
    path = os.path.join(base, found[0])
    if os.stat(path).st_uid != os.getuid():
        raise RunError(f"The run folder {path} belongs to another user, so it is not looked into.")
    return RunFolder(path, str(about(path).get("file", "")))


def only_living(settings: Settings) -> RunFolder:
    """The one run that is going on.

    Raises:
        RunError: there is none, or more than one.
    """
    base = base_folder(settings)
    living = [folder for name in all_runs(base) if (folder := RunFolder(os.path.join(base, name))).host_lives()]
    if len(living) == 1:
        return living[0]
    if living:
        raise RunError(f"More than one run is going on; name one of {', '.join(folder.id for folder in living)}.")
    raise RunError(f"No run in {base} is going on.")


class Served(msgspec.Struct, frozen=True):
    """Where a living run of this user is served; `name` is its app's: what `--name` said, else its file's."""

    run: str
    url: str
    name: str
    token: str = ""
    certificate: str = ""


def served_here(settings: Settings) -> dict[int, Served]:
    """The ports at which living runs of this user are served to this machine."""
    base, found = base_folder(settings), {}
    for name in all_runs(base):
        path = os.path.join(base, name)
        known = read_json(os.path.join(path, WEB))
        here = known.get("host") in LOCAL and isinstance(known.get("port"), int)
        if here and os.stat(path).st_uid == os.getuid() and RunFolder(path).host_lives():
            words = {key: str(known.get(key, "")) for key in ("url", "token", "certificate")}
            found[known["port"]] = Served(name, name=_called(path), **words)
    return found


def _called(path: str) -> str:
    told = about(path)
    words = [str(word) for word in told.get("command", [])]
    given = [word for before, word in pairwise(words) if before == "--name"]
    given += [word.partition("=")[2] for word in words if word.startswith("--name=")]
    return given[-1] if given else os.path.splitext(os.path.basename(str(told.get("file", ""))))[0]


def logged(folder: RunFolder) -> set[str]:
    """The works of which there is output."""
    names = os.listdir(folder.logs) if os.path.isdir(folder.logs) else []
    return {name.rpartition(".")[0] for name in names if name.endswith((".out", ".err"))}


def about(path: str) -> dict[str, Any]:
    """What was written down of a run when its folder was made."""
    return read_json(os.path.join(path, "app.json"))


def read_json(path: str) -> dict[str, Any]:
    """A small file; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}


def summaries(settings: Settings) -> list[Summary]:
    """All runs, newest first."""
    base = base_folder(settings)
    return [summary(RunFolder(os.path.join(base, name))) for name in reversed(all_runs(base))]


def summary(folder: RunFolder) -> Summary:
    """One run as it is now."""
    told = about(folder.path)
    found = Summary(folder.id, str(told.get("file", "")), started_at(folder), "", size=_size(folder.path))
    found.command, found.forked_from = list(told.get("command", [])), told.get("forked_from")
    ended = None
    try:
        with History(folder.journal) as history:
            found.turns, found.changed = history.last()
            ended = history.get("ended")
    except LightningError:
        """Nothing recorded, or nothing that can be read."""
    found.state = state_of(folder, ended)
    return found


class WorkShown(msgspec.Struct):
    """A work as a list of them shows it.

    Attributes:
        since: wall time of its status.
        reason: of the status, as programs compare it.
        pid: of its process, 0 for none.
    """

    work: str
    status: str
    since: float
    reason: str
    pid: int


def works_of(folder: RunFolder) -> list[WorkShown]:
    """The works of a run as they are now; none if it has recorded nothing."""
    lives = folder.host_lives()
    try:
        works = past_of(folder).works
    except LightningError:
        return []
    return [WorkShown(name, *work.status(), work.pid if lives else 0) for name, work in sorted(works.items())]


def state_of(folder: RunFolder, ended: str | None) -> str:
    """ "running", "starting", "forked" (not taken up yet), "ended 0", "failed 1", or "interrupted": ended otherwise."""
    if folder.host_lives():
        return RUNNING
    if ended:
        return f"{'ended' if ended == '0' else 'failed'} {ended}"
    if folder.entry() is None and about(folder.path).get("forked_from"):
        return FORKED
    if folder.starts():
        return STARTING
    return INTERRUPTED


def started_at(folder: RunFolder) -> float:
    """When the run's folder was made, which its id says."""
    try:
        moment = datetime.strptime(folder.id.partition("-")[0], "%Y%m%dT%H%M%S")
    except ValueError:
        return os.stat(folder.path).st_mtime
    return moment.replace(tzinfo=timezone.utc).timestamp()


def _size(path: str) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue  # it went while we looked
    return total


# looking into one ----------------------------------------------------------------------------------------------


def past_of(folder: RunFolder, until: int | None = None) -> Past:
    """The state of a run after a turn, or now.

    Raises:
        RunError: the turn is not there any more, or not yet.
    """
    registry.shelf = ValueShelf(Store(folder.objects), 1 << 62)  # of this run, as its values are read now
    with History(folder.journal) as history:
        if until is not None:
            _check_turn(folder, history, until)
        limit = ALL if until is None else until
        snapshot = history.snapshot(limit)
        first = snapshot[0] if snapshot else 0
        starts = {turn: data for turn, data in first_state.kept(folder.path, first).items() if turn <= limit}
        past = Past(snapshot[2] if snapshot else None, starts)
        return past.follow(history.records(first + 1 if snapshot else 0, limit)).finish(limit)


def turn_of(folder: RunFolder, word: str) -> int:
    """The turn that a person means: a number, "last", or a time ("14:05", "2026-01-31T14:05:00").

    Raises:
        RunError: it is none of these.
    """
    with History(folder.journal) as history:
        last, _ = history.last()
        if word == "last":
            return last
        if word.isdigit():
            return int(word)
        return history.turn_at(_moment(word, started_at(folder)))


def _moment(word: str, began: float) -> float:
    """A time of day is the first of its kind after the run began."""
    try:
        if "-" in word:
            return datetime.fromisoformat(word).timestamp()
        day = datetime.fromtimestamp(began)
        moment = datetime.fromisoformat(f"{day.date().isoformat()}T{word}").timestamp()
    except ValueError:
        raise RunError(
            f"{word!r} is neither the number of a turn nor a time such as 14:05:00 or 2026-01-31T14:05:00."
        ) from None
    return moment if moment >= int(began) else moment + 86400


def _check_turn(folder: RunFolder, history: History, turn: int) -> None:
    oldest, (last, _) = history.oldest(), history.last()
    if turn < oldest:
        raise RunError(
            f"Turn {turn} of the run {folder.id} is not kept any more; the oldest there is is turn {oldest}."
        )
    if turn > last:
        raise RunError(f"The run {folder.id} has no turn {turn} yet; its last is turn {last}.")


def story_of(folder: RunFolder, past: Past, work: str, turns: int = ALL) -> Story:
    """What the records of a run's last turns tell of one work; `past`: of the same run, as it is now."""
    with History(folder.journal) as history:
        last, _ = history.last()
        return Story(work).follow(history.records(max(0, last - turns))).know(past.works[work])


def work_named(folder: RunFolder, past: Past, wanted: str) -> str:
    """The full name of a work: "train" is "root.train" where only one is called so; else see `name_among`."""
    return name_among(folder, past.works, wanted, "work")


def name_among(folder: RunFolder, names: Iterable[str], wanted: str, what: str) -> str:
    """The one of these names that is, or ends with, the wanted one.

    Raises:
        RunError: there is none, or more than one.
    """
    known = sorted(names)
    if wanted in known:
        return wanted
    found = [name for name in known if name.endswith(f".{wanted}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise RunError(f"The run {folder.id} has more than one {what} {wanted!r}: {', '.join(found)}.")
    there = f"it has {', '.join(known[:8])}" if known else "none has been asked for anything"
    raise RunError(f"The run {folder.id} has no {what} {wanted!r}; {there}.")


# removing and forking ------------------------------------------------------------------------------------------


def remove(folder: RunFolder) -> None:
    """Remove a run that is over.

    Raises:
        RunError: it is going on, or just starting.
    """
    if folder.host_lives() or state_of(folder, None) == STARTING:
        raise RunError(f"The run {folder.id} is going on, so it is not removed: stop it first.")
    folder.lock()
    shutil.rmtree(folder.path)


def prune(settings: Settings, keep: int) -> list[str]:
    """Remove all runs that are over but the newest `keep`, and of these what nothing in them needs; the ids of those that went."""
    over = [each.id for each in summaries(settings) if each.state not in (RUNNING, STARTING)]
    gone = []
    for name in over[keep:]:
        try:
            remove(RunFolder(os.path.join(base_folder(settings), name)))
        except RunError:
            continue  # it was taken up meanwhile
        gone.append(name)
    for name in over[:keep]:
        with contextlib.suppress(LightningError):  # it was taken up meanwhile, or cannot be read
            _thin_out(RunFolder(os.path.join(base_folder(settings), name)), settings)
    return gone


def _thin_out(folder: RunFolder, settings: Settings) -> None:
    folder.lock()
    try:
        reclaim(folder, settings.journal_values)
    finally:
        folder.unlock()


def fork(settings: Settings, source: RunFolder, turn: int) -> RunFolder:
    """Make a run that begins from the state that another had after a turn.

    Raises:
        RunError: that turn is not kept any more, or not there yet.
    """
    with History(source.journal) as history:
        _check_turn(source, history, turn)
        told, whole = about(source.path), msgspec.structs.replace(settings, keep_runs=ALL_RUNS_KEPT)
        folder = create(whole, str(told.get("file", "")), list(told.get("command", [])))
        origin = {"run": source.id, "turn": turn}
        write_json(os.path.join(folder.path, "app.json"), {**told, "forked_from": origin})
        journal = SqliteJournal(folder.journal)
        journal.take_over(history.kept(turn))
        journal.set("ended", "")  # whatever the other came to
        journal.close()
    for begun, data in first_state.kept(source.path).items():
        if begun <= turn:
            with open(os.path.join(folder.path, f"start-{begun}.state"), "wb") as file:
                file.write(data)
    forked_files.share(source, folder)
    return folder
