"""What a work hands over and what it is handed: keeps, fetches, and says what could not be done.  Knows nothing of how calls run.

It is the `files` of the work's binding: paths and payloads of that work ask it.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from ..base.errors import NotFound, StorageError, Unreachable
from ..base.messages import SET, Transfer
from ..model.work import LightningWork
from ..ports import Placement
from ..storage import names as n
from ..storage import trees
from ..storage.copying import chunks
from ..storage.drive import Drive
from ..storage.elsewhere import NamesElsewhere
from ..storage.exchange import Exchange
from ..storage.fetching import Fetcher
from ..storage.folders import _storage_root_dir
from ..storage.hashing import Digest
from ..storage.names import Entry, Names
from ..storage.path import Path
from ..storage.payload import NOTHING, _BasePayload
from ..storage.progress import Progress
from ..storage.shelf_of_values import ValueShelf
from ..storage.store import Fetch, Store, identity

Say = Callable[[str], None]
CARRIERS = (Path, _BasePayload, Drive)


Kept = Callable[[Entry], None]
Tell = Callable[[Transfer], None]


def nobody(entry: Entry) -> None:
    """It is kept here only."""


def no_reader(transfer: Transfer) -> None:
    """Nobody follows."""


def on_stderr(line: str) -> None:
    """To the work's own error output, which the terminal shows."""
    sys.stderr.write(f"{line}\n")


class Files:
    """The files of one work in its process.

    Args:
        work: whose.
        store, names: of the run, as this machine sees them.
        private: a folder for copies that cannot lie where their origin has them.
        machine: tells this machine from others.
        tell: takes how far long transfers are, for the host.
        kept: told of all content that is handed over; it may keep it elsewhere as well.
        say: takes lines for people.
    """

    def __init__(
        self,
        work: LightningWork,
        store: Store,
        names: Names | NamesElsewhere,
        private: str,
        machine: str,
        say: Say = on_stderr,
        kept: Kept = nobody,
        tell: Tell = no_reader,
    ) -> None:
        self._work, self._store, self._names = work, store, names
        self._private, self._machine, self._say, self._kept, self._tell = private, machine, say, kept, tell
        self._known: dict[str, tuple[list[int], str]] = {}  # files of this machine, and what their content was
        self._seen: dict[str, str] = {}  # payloads that are kept, by attribute

    # -- before a call -------------------------------------------------------------------------------------------

    def unpack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """The arguments of a call as this work's own, with their files here."""
        return exchange(args, self._take), exchange(kwargs, self._take)

    def _take(self, value: Any) -> Any:
        if isinstance(value, Drive):
            return value._for(self._work)
        if value._origin is not None:
            value._attach_work(self._work)
        return self._with_file(value)

    def fetch_own(self) -> None:
        """Have the files of this work's own attributes here that others make."""
        attributes = self._work.__dict__
        for name, value in self._work._lit_values().items():
            attributes[name] = exchange(value, self._with_file)

    def _with_file(self, value: Any) -> Any:
        """A path whose file is here now, if its origin has handed it over."""
        if not isinstance(value, Path) or value._origin is None or value.origin_name == self._work.name:
            return value
        found = self._find(value)
        return value if found is None or found[0].kind == n.MISSING else self._bring(value, *found)

    # -- asked by paths ------------------------------------------------------------------------------------------

    def has(self, path: Path) -> bool:
        """Whether its origin has handed it over, or has it on this machine."""
        found = self._find(path)
        return (found is not None and found[0].kind != n.MISSING) or os.path.lexists(path.source)

    def get(self, path: Path) -> None:
        """Have it here, replacing what is here."""
        found = self._find(path)
        if found is None and os.path.lexists(path.source):
            return  # not handed over yet, but on this machine: it is where it is
        if found is None or found[0].kind == n.MISSING:
            raise NotFound(self._nobody(path, found is not None))
        self._write(*found, str(path), f"{path.source} of {path.origin_name}")

    def _nobody(self, path: Path, was_missing: bool) -> str:
        how = (
            "its run has succeeded without making it" if was_missing else "no run of it that makes it has succeeded yet"
        )
        return (
            f"An exception was raised while trying to transfer the contents at {path.source} from Work {path.origin_name} "
            f"to {self._work.name}: {path.origin_name}, which was to make it, has not handed it over; {how}."
        )

    def _find(self, path: Path) -> tuple[Entry, str] | None:
        """What was handed over of this name, and the path within it."""
        origin = path.origin_name or ""
        source = os.path.normpath(path.source)
        entry = self._names.get(origin, source)
        found = (entry, "") if entry is not None else self._names.above(origin, source)
        if found is not None and found[1]:
            tree = trees.load(self._store, found[0].content, source)
            if tree.find(found[1]) is None:
                return None
        return found

    def _bring(self, path: Path, entry: Entry, below: str) -> Path:
        """Where it lies already, if that is still what was handed over; else at its path; else beside, as that is taken."""
        here = os.path.abspath(path)
        if self._is_there(here, entry, below):
            return path
        what = f"{path.source} of {path.origin_name}"
        if not os.path.lexists(here) and self._ours(here):
            self._write(entry, below, here, what)
            return path
        beside = os.path.join(self._private, entry.content, below or os.path.basename(here) or "it")
        if entry.kind == n.TREE or not self._is_there(beside, entry, below):
            self._write(entry, below, beside, what)
        return path.lying_at(beside)

    def _is_there(self, here: str, entry: Entry, below: str) -> bool:
        """Whether it is what was handed over; a folder, and what is in one, is used on its machine as it is there."""
        if entry.kind == n.TREE:
            known = entry.machine == self._machine or here in self._known
            return os.path.lexists(here) and (known or (bool(below) and self._is_item(here, entry, below)))
        try:
            stat = os.stat(here)
        except OSError:
            return False
        mark = identity(stat)
        if (mark == entry.identity and entry.machine == self._machine) or self._known.get(here) == (
            mark,
            entry.content,
        ):
            return True
        if stat.st_size != entry.size or not os.path.isfile(here):
            return False
        return self._content_of(here, mark, entry.content) == entry.content

    def _is_item(self, here: str, entry: Entry, below: str) -> bool:
        """Whether a file is that of a folder handed over on another machine."""
        item = trees.load(self._store, entry.content).find(below)
        return item is not None and os.path.isfile(here) and trees.is_item(self._store, item, here)

    def _content_of(self, here: str, mark: list[int], like: str) -> str:
        known = self._known.get(here)
        if known is None or known[0] != mark:
            self._known[here] = known = (mark, content_of(here, like))
        return known[1]

    def _ours(self, here: str) -> bool:
        """Whether something may be made there without being asked for: below the current folder or the storage root."""
        return any(os.path.commonpath([root, here]) == root for root in (os.getcwd(), str(_storage_root_dir())))

    def _write(self, entry: Entry, below: str, here: str, what: str) -> None:
        with self._progress("fetching", what, entry.size) as progress:
            if entry.kind != n.TREE:
                self._store.copy_to(entry.content, here, mode=entry.mode | 0o600, what=what, progress=progress.more)
                self._known[here] = (identity(os.stat(here)), entry.content)
                return
            tree = trees.load(self._store, entry.content, what)
            item = tree.find(below) if below else None
            if item is not None and item.kind != trees.FOLDER:
                trees.write_item(self._store, item, here, progress.more, what)
            else:
                trees.write_tree(self._store, tree.below(below) if below else tree, here, progress.more, what)
                self._known[here] = ([], entry.content)

    def _progress(self, doing: str, what: str, size: int) -> Progress:
        def tell(done: int, size: int, seconds: float, over: bool) -> None:
            self._tell(Transfer(doing, what, done, size, seconds, over))

        return Progress(f"{self._work.name}: {doing} {what}", size, self._say, tell)

    # -- after a call --------------------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """Keep what this work's paths and payloads hold now.

        Raises:
            StorageError: it cannot be kept: the disk is full, a file cannot be read.
        """
        missing = []
        for name, held in self._work._lit_values().items():
            anew = False
            for value in found_in(held):
                if value.origin_name != self._work.name:
                    continue
                if isinstance(value, Path):
                    missing += [] if self._keep_path(value) else [value.source]
                elif value._value is not NOTHING:
                    before = value._content
                    self.keep_value(value)
                    anew = anew or value._content != before
            if anew:  # what the flow passes on is what the run made of it
                self._work._lit_binding.moved(self._work, (name,), SET, held, held)
        if missing:
            self._say(
                f"UserWarning: {len(missing)} artifacts of {self._work.name} could not be saved because they don't exist: "
                f"{', '.join(sorted(missing))}."
            )

    def _keep_path(self, path: Path) -> bool:
        """Keep the file or folder as it is now; False if there is none."""
        name, here = os.path.normpath(path.source), os.path.abspath(path)
        try:
            stat = os.stat(here)
        except OSError:
            self._names.put(self._work.name, Entry(name, n.MISSING, at=time.time(), machine=self._machine, place=here))
            return False
        folder = os.path.isdir(here)
        mark = trees.fingerprint(here) if folder else identity(stat)
        before = self._names.get(self._work.name, name)
        if (
            before is not None
            and before.identity == mark
            and before.machine == self._machine
            and self._store.has(before.content)
        ):
            return True
        size = 0 if folder else stat.st_size
        with self._progress("handing over", name, size) as progress:
            entry = self._taken(name, here, folder, progress)
        self._kept(entry)
        self._names.put(self._work.name, entry)
        return True

    def _taken(self, name: str, here: str, folder: bool, progress: Progress) -> Entry:
        if folder:
            mark = trees.fingerprint(here)
            content, tree = trees.put_tree(self._store, here, progress.more)
            kind, size, files, mode = (
                n.TREE,
                tree.size,
                sum(i.kind in (trees.FILE, trees.PIECE) for i in tree.items),
                0o755,
            )
        else:
            stat = os.stat(here)
            mark, mode = identity(stat), stat.st_mode & 0o777
            content, size = self._store.put_file(here, progress.more)
            kind, files = n.FILE, 1
        return Entry(name, kind, content, size, files, mode, time.time(), mark, self._machine, here)

    # -- payloads ------------------------------------------------------------------------------------------------

    def keep_value(self, payload: _BasePayload) -> None:
        """Keep the value as it is now."""
        scratch = os.path.join(self._private, f".payload-{os.urandom(8).hex()}")
        os.makedirs(self._private, exist_ok=True)
        try:
            payload.save(payload._value, scratch)
            content, size = self._store.put_file(scratch)
        except OSError as error:
            raise StorageError(f"The payload {payload.name} of {self._work.name} cannot be kept: {error}.") from error
        finally:
            if os.path.exists(scratch):
                os.unlink(scratch)
        payload._content = content
        entry = Entry(payload.name or "", n.VALUE, content, size, at=time.time())
        self._kept(entry)
        self._names.put(self._work.name, entry)

    def has_value(self, payload: _BasePayload) -> bool:
        """Whether its origin has handed it over."""
        return self._value_entry(payload) is not None

    def _value_entry(self, payload: _BasePayload) -> str | None:
        if payload._content:
            return payload._content
        entry = self._names.get(payload.origin_name, payload.name or "")
        return entry.content if entry is not None and entry.kind == n.VALUE else None

    def load_value(self, payload: _BasePayload) -> Any:
        """The value as its origin handed it over."""
        content = self._value_entry(payload)
        if content is None:
            raise NotFound(
                f"The payload {payload.name} of {payload.origin_name}, which {self._work.name} asked for, was not handed over yet."
            )
        what = f"the payload {payload.name} of {payload.origin_name}"
        path = self._store.bring(content)
        if not self._store.check(content):
            self._store.damaged(content, what, last=False)
        return payload.load(path)


def found_in(value: Any) -> Iterator[Any]:
    """Every path and payload inside containers."""
    if isinstance(value, dict):
        for item in list(dict.values(value)):
            yield from found_in(item)
    elif isinstance(value, (list, tuple)):
        for item in list(value):
            yield from found_in(item)
    elif isinstance(value, (Path, _BasePayload)):
        yield value


def exchange(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same value with what `change` returns in the place of each path, payload and drive inside; lists and dicts stay themselves."""
    if isinstance(value, CARRIERS):
        return change(value)
    if isinstance(value, dict):
        for key, item in list(dict.items(value)):
            dict.__setitem__(value, key, exchange(item, change))
    elif isinstance(value, list):
        for index, item in enumerate(list.__iter__(value)):
            list.__setitem__(value, index, exchange(item, change))
    elif type(value) is tuple:
        return tuple(exchange(item, change) for item in value)
    return value


def content_of(path: str, like: str) -> str:
    """The name of what a file holds."""
    digest = Digest(like, threads=True)
    with open(path, "rb") as file:
        for chunk in chunks(file.fileno()):
            digest.update(chunk)
    return digest.name


def files_in(work: LightningWork, order: Placement, machine: str, tell: Tell = no_reader) -> Files:
    """The files of a work: in the run's folder where its process sees that, else in one of its own, with an exchange."""
    folder = order.files
    private = os.path.join(folder, "beside", work.name.replace(os.sep, "_"))
    store = store_of(order)
    kept = keeping_there(order, store) if order.storage else nobody
    if not order.exchange:
        return Files(work, store, Names(os.path.join(folder, "names")), private, machine, kept=kept, tell=tell)
    tls = sides_of(order)
    own = Exchange(store, order.exchange_token, host=facing(order.exchange), tls=tls.server if tls else None)
    names = NamesElsewhere(order.exchange, order.exchange_token, own.address, tls.client if tls else None)
    return Files(work, store, names, private, f"{machine} {folder}", kept=kept, tell=tell)


def sides_of(order: Placement) -> Any:
    """TLS for a worker on another machine, None for one on the host's."""
    return import_module("..storage.certified", __package__).sides(order.exchange_pem) if order.exchange_pem else None


def facing(address: str) -> str:
    """The address of this machine that those who can be reached at another address can reach."""
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port)))  # sends nothing
        return str(probe.getsockname()[0])


def keeping_there(order: Placement, store: Store) -> Kept:
    """Sends what is handed over, before anybody is told of it."""
    remote = there(order)

    def keep(entry: Entry) -> None:
        contents = {entry.content}
        if entry.kind == n.TREE:
            contents |= trees.load(store, entry.content).contents()
        for name in sorted(contents):
            remote.keep(store, name)

    return keep


def store_of(order: Placement) -> Store:
    """The content that a worker has, and where it gets what it has not."""
    store = Store(os.path.join(order.files, "objects"))
    sources: list[Fetch] = []
    if order.exchange:
        tls = sides_of(order)
        client = tls.client if tls else None
        names = NamesElsewhere(order.exchange, order.exchange_token, tls=client)
        fetcher = Fetcher(store, order.exchange_token, client)
        sources.append(lambda name: fetcher.fetch(name, names.homes(name)))
    if order.storage:
        sources.append(lambda name: there(order).bring(store, name))
    store.fetch = first_of(sources)
    return store


def there(order: Placement) -> Any:
    """The store that content goes to and comes from as well."""
    return import_module("..storage.remote", __package__).RemoteContent(order.storage)


def first_of(sources: list[Fetch]) -> Fetch:
    """Asks one after the other; one that does not answer is an error only where no other has it."""

    def fetch(name: str) -> bool:
        failed: Unreachable | None = None
        for source in sources:
            try:
                if source(name):
                    return True
            except Unreachable as error:
                failed = error
        if failed is not None:
            raise failed
        return False

    return fetch


def shelf_of(order: Placement) -> ValueShelf:
    """Big values in the store that a worker has."""
    return ValueShelf(store_of(order), order.reference_above)
