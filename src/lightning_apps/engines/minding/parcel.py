"""The app's folder on its way to another machine: packed once, known by its content, unpacked once per machine.

What `.lightningignore` names (patterns as in .gitignore, without negation) stays behind, and so do version control, caches, virtual
environments and our own runs.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec

IGNORE = ".lightningignore"
ALWAYS = (".git", ".hg", ".svn", "__pycache__", ".lightning-runs", ".venv", "venv", "node_modules", "*.pyc", ".mypy_cache",
          ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints")  # fmt: skip
LARGE = 50 << 20  # bytes after which a person is told
RUN = ("app.json", "secret", "logs")  # what every run's folder holds; its key and its secret are nobody else's
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


class Parcel(msgspec.Struct, frozen=True):
    """A packed folder.

    Attributes:
        digest: of names, modes and contents (BLAKE2b, 32 bytes, in hex).
        path: where the archive is.
    """

    digest: str
    path: str


def ignored(folder: str) -> tuple[str, ...]:
    """The patterns of a folder."""
    patterns = list(ALWAYS)
    with contextlib.suppress(OSError), open(os.path.join(folder, IGNORE), encoding="utf-8") as file:
        lines = (line.strip() for line in file)
        patterns += [line for line in lines if line and not line.startswith(("#", "!"))]
    return tuple(patterns)


def matches(relative: str, is_folder: bool, patterns: Sequence[str]) -> bool:
    """Whether a path below the folder (with "/") stays behind."""
    name = relative.rpartition("/")[2]
    for pattern in patterns:
        only_folders, bare = pattern.endswith("/"), pattern.strip("/")
        if only_folders and not is_folder:
            continue
        anchored = "/" in pattern.rstrip("/")
        if fnmatch.fnmatchcase(relative if anchored else name, bare):
            return True
    return False


def contents(folder: str) -> Iterator[str]:
    """Files to be packed, relative and in order; links are followed only to what is inside."""
    patterns, inside = ignored(folder), os.path.realpath(folder) + os.sep
    for top, folders, files in os.walk(folder):
        base = os.path.relpath(top, folder).replace(os.sep, "/")
        prefix = "" if base == "." else f"{base}/"
        kept = (name for name in folders if not matches(prefix + name, True, patterns))
        folders[:] = sorted(name for name in kept if not _is_run(os.path.join(top, name)))
        for name in sorted(files):
            path = os.path.join(top, name)
            if (
                not matches(prefix + name, False, patterns)
                and os.path.realpath(path).startswith(inside)
                and os.path.isfile(path)
            ):
                yield prefix + name


def _is_run(folder: str) -> bool:
    """Whether this is a run's folder, wherever --run-dir has put it."""
    return all(os.path.exists(os.path.join(folder, name)) for name in RUN)


def size_of(folder: str) -> int:
    """Bytes of what would be packed."""
    total = 0
    for name in contents(folder):
        with contextlib.suppress(FileNotFoundError):
            total += os.path.getsize(os.path.join(folder, name))
    return total


class _Digest:
    """Of names, modes and contents, in order."""

    def __init__(self) -> None:
        self._whole = hashlib.blake2b(digest_size=32)

    def begin(self, name: str, executable: bool) -> None:
        self._whole.update(f"{name}\0{int(executable)}\0".encode("utf-8", "surrogateescape"))
        self._one = hashlib.blake2b(digest_size=32)

    def read(self, file: BinaryIO) -> Iterator[bytes]:
        """The content of what was begun, a piece at a time."""
        while data := file.read(1 << 20):
            self._one.update(data)
            yield data
        self._whole.update(self._one.digest())

    def __str__(self) -> str:
        return self._whole.hexdigest()


def digest_of(folder: str) -> str:
    """Digest of what would be packed."""
    digest = _Digest()
    for name in contents(folder):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, name), "rb") as file:
            digest.begin(name, _executable(file))
            for _ in digest.read(file):
                """Only the digest is wanted."""
    return str(digest)


def pack(folder: str, target: str) -> Parcel:
    """Pack a folder into `target`, a folder of parcels; what is there already is not packed again.

    Files may change meanwhile: the digest is that of what was packed.
    """
    digest = digest_of(folder)
    path = os.path.join(target, f"{digest}.zip")
    if os.path.exists(path):
        return Parcel(digest, path)
    os.makedirs(target, mode=0o700, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target)
    packed = _Digest()
    with open(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in contents(folder):
            _add(archive, folder, name, packed)
    path = os.path.join(target, f"{packed}.zip")
    os.replace(temporary, path)
    return Parcel(str(packed), path)


def _add(archive: zipfile.ZipFile, folder: str, name: str, packed: _Digest) -> None:
    """Unless it has gone since it was seen."""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, name), "rb") as source:
        executable = _executable(source)
        entry = zipfile.ZipInfo(name, EPOCH)
        entry.external_attr = (0o100700 if executable else 0o100600) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        packed.begin(name, executable)
        with archive.open(entry, "w") as goal:
            for data in packed.read(source):
                goal.write(data)


def _executable(file: BinaryIO) -> bool:
    return bool(os.fstat(file.fileno()).st_mode & 0o100)


def unpack(archive: str, folder: str) -> None:
    """Unpack into a folder that is not there yet, all or nothing; whoever comes first wins.

    Raises:
        ValueError: a name in the archive would leave the folder.
    """
    temporary = tempfile.mkdtemp(dir=os.path.dirname(folder))
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                goal = os.path.realpath(os.path.join(temporary, entry.filename))
                if not goal.startswith(os.path.realpath(temporary) + os.sep):
                    raise ValueError(f"the name {entry.filename!r} would leave the folder")
                opened.extract(entry, temporary)
                os.chmod(goal, (entry.external_attr >> 16) & 0o777 or 0o600)
        os.rename(temporary, folder)
    except OSError:
        if not os.path.isdir(folder):
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
