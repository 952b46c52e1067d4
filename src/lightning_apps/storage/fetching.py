"""Brings content here from whoever has it, in parallel pieces; what broke off, even by a kill, is gone on with.

Knows addresses and hashes; not which work wants it.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..base.errors import LightningError, NotFound, Unreachable
from .copying import Progress, _silent, cannot_write, is_full, read_into
from .exchange import Caller
from .hashing import Digest
from .store import Store

PIECE = 2 << 20
CONNECTIONS = 3  # more only take the interpreter from each other
KEPT = 8  # pieces that have come, in memory until they are hashed: of others the file is read again
TRIES = 5  # of a connection that breaks, in a row and without a piece in between
PAUSE = 0.1  # seconds before the second try; doubled each time


class Partial:
    """A file that is being filled, and beside it which pieces it has already."""

    def __init__(self, path: str, size: int) -> None:
        self._path, self.size = path, size
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._done = os.open(f"{path}.done", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.lock = threading.Lock()
        self.arrived = threading.Condition(self.lock)
        self.have: set[int] = set()
        self._kept: dict[int, memoryview] = {}
        self._buffers: list[memoryview] = []
        self.given_up = False

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Only one process fills it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(self.descriptor)
            os.close(self._done)

    def missing(self) -> list[int]:
        """The pieces that are not here."""
        if os.fstat(self.descriptor).st_size != self.size:
            os.ftruncate(self._done, 0)
            os.ftruncate(self.descriptor, self.size)
        noted = os.pread(self._done, os.fstat(self._done).st_size, 0)
        self.have = {int.from_bytes(noted[at : at + 4], "big") for at in range(0, len(noted) - 3, 4)}
        return [piece for piece in range(self.pieces) if piece not in self.have]

    @property
    def pieces(self) -> int:
        """How many it has in all."""
        return -(-self.size // PIECE)

    def buffer(self, piece: int) -> memoryview:
        """Memory for a piece, which `note` takes back."""
        with self.lock:
            buffer = self._buffers.pop() if self._buffers else memoryview(mmap.mmap(-1, PIECE))
        return buffer[: self.length(piece)]

    def length(self, piece: int) -> int:
        """Bytes of a piece; the last may be shorter."""
        return min(PIECE, self.size - piece * PIECE)

    def note(self, piece: int, content: memoryview) -> None:
        """Its bytes are in the file; and for a while in memory, for whoever hashes them."""
        with self.lock:
            os.write(self._done, piece.to_bytes(4, "big"))
            self.have.add(piece)
            if len(self._kept) < KEPT:
                self._kept[piece] = content
            else:
                self._give_back(content)
            self.arrived.notify_all()

    def give_up(self) -> None:
        """No more pieces come."""
        with self.lock:
            self.given_up = True
            self.arrived.notify_all()

    def hash_into(self, digest: Digest) -> None:
        """Piece by piece right behind those that come, as far as they do."""
        buffer = memoryview(mmap.mmap(-1, PIECE))
        for piece in range(self.pieces):
            with self.lock:
                self.arrived.wait_for(lambda piece=piece: piece in self.have or self.given_up)  # type: ignore[misc]
                if piece not in self.have:
                    return
                kept = self._kept.pop(piece, None)
            if kept is None:
                view = buffer[: self.length(piece)]
                read_into(self.descriptor, view, piece * PIECE)
                digest.update(view)
            else:
                digest.update(kept)
                with self.lock:
                    self._give_back(kept)

    def _give_back(self, content: memoryview) -> None:
        self._buffers.append(memoryview(content.obj))

    def forget(self) -> None:
        """It is of no use."""
        for path in (self._path, f"{self._path}.done"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


class Fetcher:
    """Fetches for one store.

    Args:
        store: where content comes to.
        token: of the run.
        sleep: waits between tries.
    """

    def __init__(self, store: Store, token: bytes, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store, self._token, self._sleep = store, token, sleep

    def fetch(self, name: str, homes: Sequence[str], progress: Progress = _silent) -> bool:
        """Bring content from any of these addresses; False if none of them has it.

        Raises:
            Unreachable: those that may have it do not answer.
        """
        having, silent = self._who_has(name, homes)
        for size, address in having:
            if self._bring(name, size, [address], progress):
                return True
        if silent and not having:
            raise Unreachable(
                f"Content {name} may be at {_shown(silent)}, which does not answer: {next(iter(silent.values()))}."
            )
        return False

    def _who_has(self, name: str, homes: Sequence[str]) -> tuple[list[tuple[int, str]], dict[str, str]]:
        having, silent = [], {}
        for address in dict.fromkeys(homes):
            try:
                size = self._patiently(address, lambda caller: caller.ask("size", name))
            except (OSError, LightningError) as error:
                silent[address] = str(error).rstrip(".")
                continue
            if size is not None:
                having.append((int(size), address))
        return having, silent

    def _patiently(self, address: str, do: Callable[[Caller], int | None]) -> int | None:
        pause = PAUSE
        for left in reversed(range(TRIES)):
            try:
                with contextlib.closing(Caller(address, self._token)) as caller:
                    return do(caller)
            except OSError:
                if not left:
                    raise
            self._sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    def _bring(self, name: str, size: int, addresses: list[str], progress: Progress) -> bool:
        """Whether it is here now, and is what its name says."""
        folder = os.path.join(self._store.folder, "incoming")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        digest, partial = Digest(name), Partial(os.path.join(folder, name), size)
        with partial.alone():
            if self._store.has(name):
                partial.forget()
                return True  # another process has brought it meanwhile
            missing = partial.missing()
            progress(size - sum(map(partial.length, missing)))
            with _behind(partial, digest):
                self._fill(name, partial, missing, addresses, progress)
            right = digest.name == name
            if right:
                os.fchmod(partial.descriptor, 0o400)
                os.makedirs(os.path.dirname(self._store.path(name)), mode=0o700, exist_ok=True)
                self._store.settle(partial.descriptor, os.path.join(folder, name), name)
            partial.forget()
        return right

    def _fill(self, name: str, partial: Partial, missing: list[int], addresses: list[str], progress: Progress) -> None:
        """Every piece, on a few connections at once."""
        todo, failed = list(reversed(missing)), list[BaseException]()

        def work(number: int) -> None:
            try:
                self._take_pieces(name, partial, todo, addresses[number % len(addresses)], progress)
            except (OSError, LightningError) as error:
                failed.append(error)

        count = max(1, min(CONNECTIONS, len(missing)))
        threads = [threading.Thread(target=work, args=(n,), name="fetch", daemon=True) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if full := [each for each in failed if isinstance(each, OSError) and is_full(each)]:
            partial.forget()  # or nobody else could write anything either
            raise cannot_write(self._store.path(name), full[0]) from full[0]
        if todo or (failed and partial.missing()):
            reason = str(failed[0]).rstrip(".") if failed else "it went away"
            raise Unreachable(
                f"Content {name} could not be brought from {_shown(addresses)}: {reason}. What has come is kept, and gone on with."
            ) from (failed[0] if failed else None)

    def _take_pieces(self, name: str, partial: Partial, todo: list[int], address: str, progress: Progress) -> None:
        tries, caller = 0, None
        try:
            while True:
                with partial.lock:
                    if not todo:
                        return
                    piece = todo.pop()
                try:
                    caller = caller or Caller(address, self._token)
                    content = partial.buffer(piece)
                    if caller.read_to(name, piece * PIECE, content, partial.descriptor) != len(content):
                        raise Unreachable(f"{address} has less of it than it said")
                except (OSError, LightningError) as error:
                    with partial.lock:
                        todo.append(piece)
                    tries += 1
                    if tries >= TRIES or is_full(error) or isinstance(error, NotFound):
                        raise
                    if caller is not None:
                        caller.close()
                    caller = None
                    self._sleep(PAUSE * 2**tries)
                    continue
                tries = 0
                partial.note(piece, content)
                with partial.lock:
                    progress(partial.length(piece))
        finally:
            if caller is not None:
                caller.close()


@contextlib.contextmanager
def _behind(partial: Partial, digest: Digest) -> Iterator[None]:
    """Hashes what comes while the body has it come."""
    failed: list[BaseException] = []

    def follow() -> None:
        try:
            partial.hash_into(digest)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=follow, name="hash", daemon=True)
    thread.start()
    try:
        yield
    finally:
        partial.give_up()
        thread.join()
    if failed:
        raise failed[0]


def _shown(addresses: Iterable[str]) -> str:
    """For people, who do not look at fingerprints."""
    return ", ".join(address.partition("#")[0] for address in addresses)
