"""Folders in a store: a list of what is in one, small files together in packs, large ones by their own content.

A list that comes back is believed only after its paths were checked: nothing is written outside of the folder asked for.
"""

from __future__ import annotations

import os
import shutil
import stat as modes
from collections.abc import Iterator

import msgspec

from ..base.errors import NotFound, OutsideFolder, StorageError
from .copying import Progress, _silent, chunks, fresh, write_all
from .hashing import Digest, name_of
from .store import Store, identity

PACKED = 128 << 10  # bytes up to which files go together
PACK = 64 << 20  # bytes of such files in one pack
FILE, PIECE, LINK, FOLDER = "f", "p", "l", "d"


class Item(msgspec.Struct, array_like=True):
    """One thing in a folder.

    Attributes:
        path: from the folder, with "/".
        content: of a file its name in the store, of a piece that of its pack, of a link what it points to.
        start: where in its pack a piece begins.
    """

    path: str
    kind: str
    mode: int = 0
    size: int = 0
    content: str = ""
    start: int = 0


class Tree(msgspec.Struct, array_like=True):
    """All that is in a folder, in order of path."""

    items: list[Item]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(item.size for item in self.items)

    def contents(self) -> set[str]:
        """The names in the store of all that this needs."""
        return {item.content for item in self.items if item.kind in (FILE, PIECE)}

    def find(self, path: str) -> Item | None:
        """What is at a path."""
        return next((item for item in self.items if item.path == path), None)

    def below(self, path: str) -> Tree:
        """The tree of a folder in it."""
        head = f"{path}/"
        return Tree(
            [msgspec.structs.replace(i, path=i.path[len(head) :]) for i in self.items if i.path.startswith(head)]
        )


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Tree)


def load(store: Store, name: str, what: str = "") -> Tree:
    """The list of this name, its paths checked.

    Raises:
        OutsideFolder: a path in it leads elsewhere.
    """
    try:
        tree = _decoder.decode(store.read(name, what))
    except msgspec.DecodeError:
        raise StorageError(f"What is kept of {what or name} is not a folder.") from None
    for item in tree.items:
        check_inside(item.path)
        if item.kind == LINK and _leaves(item.path, item.content):
            raise OutsideFolder(
                f"The link {item.path!r} points to {item.content!r}, out of its folder: it is not made."
            )
    return tree


def check_inside(path: str) -> str:
    """A path below some folder, as it is given.

    Raises:
        OutsideFolder: it leads out of it.
    """
    parts = path.split("/")
    if not path or path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise OutsideFolder(f"The path {path!r} may lead out of the folder that it has to be in.")
    return path


def _leaves(path: str, target: str) -> bool:
    return os.path.isabs(target) or os.path.normpath(os.path.join(os.path.dirname(path), target)).split("/")[0] == ".."


# in ----------------------------------------------------------------------------------------------------------


class Packer:
    """Puts a folder's files into a store one after the other."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self._store, self._progress = store, progress
        self._pending: list[Item] = []
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, path: str, source: str, stat: os.stat_result) -> Item:
        """One file."""
        mode = modes.S_IMODE(stat.st_mode)
        if stat.st_size > PACKED:
            name, size = self._store.put_file(source, self._progress)
            return Item(path, FILE, mode, size, name)
        data = _read_small(source)
        item = Item(path, PIECE, mode, len(data), "", self._size)
        self._pending.append(item)
        self._parts.append(data)
        self._size += len(data)
        self._progress(len(data))
        if self._size >= PACK:
            self.close()
        return item

    def close(self) -> None:
        """The pack that is open is complete."""
        if self._pending:
            name = self._store.put(b"".join(self._parts))
            for item in self._pending:
                item.content = name
        self._pending, self._parts, self._size = [], [], 0


def _read_small(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while data := os.read(descriptor, PACKED + 1):
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def put_tree(store: Store, folder: str, progress: Progress = _silent) -> tuple[str, Tree]:
    """Keep what a folder holds now: (name of its list, the list)."""
    packer = Packer(store, progress)
    items = []
    for path, entry in sorted(walk(folder), key=lambda found: found[0]):
        items.append(_item(packer, folder, path, entry))
    packer.close()
    tree = Tree([item for item in items if item is not None])
    return store.put(_encode(tree)), tree


def _item(packer: Packer, folder: str, path: str, entry: os.DirEntry[str]) -> Item | None:
    try:
        if entry.is_symlink() and not _leaves(path, target := os.readlink(entry.path)):
            return Item(path, LINK, content=target)
        stat = entry.stat()
        if modes.S_ISDIR(stat.st_mode):
            return Item(path, FOLDER, modes.S_IMODE(stat.st_mode))
        if not modes.S_ISREG(stat.st_mode):
            return None  # sockets and pipes cannot be handed over
        return packer.add(path, entry.path, stat)
    except (FileNotFoundError, NotFound):
        return None  # it went while we looked; so does a link to nothing
    except OSError as error:
        raise StorageError(f"{entry.path} cannot be handed over: {error.strerror}.") from None


def walk(
    folder: str, below: str = "", seen: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything in a folder and below, with its path from there.  A link out of it to another folder is that folder's content."""
    try:
        found = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"The folder {folder} cannot be read: {error.strerror}.") from None
    for entry in found:
        path = f"{below}{entry.name}"
        yield path, entry
        if entry.is_symlink() and not _leaves(path, os.readlink(entry.path)):
            continue
        if entry.is_dir():
            stat = entry.stat()
            me = (stat.st_dev, stat.st_ino)
            if me not in seen:
                yield from walk(entry.path, f"{path}/", seen | {me})


def fingerprint(folder: str) -> list[int]:
    """Tells a folder from itself after a change, without reading its files."""
    known = []
    for path, entry in sorted(walk(folder), key=lambda found: found[0]):
        try:
            stat = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it went while we looked
        known.append([path] if modes.S_ISDIR(stat.st_mode) else [path, *identity(stat)])
    whole = name_of(_encode(known), "b2-")
    return [int(whole[3:18], 16), int(whole[18:33], 16)]


# out ---------------------------------------------------------------------------------------------------------


def write_tree(store: Store, tree: Tree, folder: str, progress: Progress = _silent, what: str = "") -> None:
    """Make `folder` hold exactly this, at once as far as a reader can tell; what was there before goes."""
    before = f"{folder}.part-{os.urandom(4).hex()}"
    try:
        os.makedirs(before)
        _fill(store, tree, before, progress, what)
        replace(before, folder)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"The folder {folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(before, ignore_errors=True)


def replace(fresh: str, path: str) -> None:
    """Put one folder or file in the place of another folder."""
    old = f"{fresh}-old"
    try:
        os.rename(path, old)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    os.rename(fresh, path)
    if os.path.isdir(old) and not os.path.islink(old):
        shutil.rmtree(old, ignore_errors=True)
    elif os.path.lexists(old):
        os.unlink(old)


def _fill(store: Store, tree: Tree, folder: str, progress: Progress, what: str) -> None:
    """Links last, so that nothing is written through one."""
    packs = Packs(store, what)
    for item in tree.items:
        if item.kind == FOLDER:
            os.makedirs(os.path.join(folder, item.path), exist_ok=True)
    for item in sorted(tree.items, key=lambda item: (item.content, item.start)):
        path = os.path.join(folder, item.path)
        if item.kind == PIECE:
            _write_piece(path, packs.piece(item), item.mode)
            progress(item.size)
        elif item.kind == FILE:
            store.copy_to(item.content, path, mode=item.mode, what=f"{what}/{item.path}", progress=progress)
    for item in tree.items:
        if item.kind == LINK:
            os.symlink(item.content, os.path.join(folder, item.path))
    for item in reversed(tree.items):
        if item.kind == FOLDER:
            os.chmod(os.path.join(folder, item.path), item.mode | 0o700)


def write_item(store: Store, item: Item, path: str, progress: Progress = _silent, what: str = "") -> None:
    """One file of a tree, at a path of its own; replaces what is there at once."""
    if item.kind == FILE:
        store.copy_to(item.content, path, mode=item.mode | 0o600, what=what, progress=progress)
        return
    if item.kind == LINK:
        raise StorageError(f"{what} is a link to {item.content!r}: hand over what it points to.")
    with fresh(path, mode=item.mode | 0o600) as new:
        write_all(new.descriptor, Packs(store, what).piece(item))
    progress(item.size)


def is_item(store: Store, item: Item, path: str) -> bool:
    """Whether a file holds what an item of a tree does."""
    if item.kind not in (FILE, PIECE) or os.path.getsize(path) != item.size:
        return False
    with open(path, "rb") as file:
        if item.kind == PIECE:
            return Packs(store, path).piece(item) == file.read()
        digest = Digest(item.content, threads=True)
        for chunk in chunks(file.fileno()):
            digest.update(chunk)
    return digest.name == item.content


def _write_piece(path: str, data: memoryview, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        target = os.open(path, flags, mode | 0o200)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        target = os.open(path, flags, mode | 0o200)
    try:
        write_all(target, data)
    finally:
        os.close(target)


class Packs:
    """The pack that was looked into last, in memory."""

    def __init__(self, store: Store, what: str) -> None:
        self._store, self._what = store, what
        self._name, self._data = "", memoryview(b"")

    def piece(self, item: Item) -> memoryview:
        """The bytes of one file."""
        if item.content != self._name:
            self._name, self._data = item.content, memoryview(self._store.read(item.content, self._what))
        return self._data[item.start : item.start + item.size]
