"""Makes a write-ahead log as long as it will become, so that no commit has to wait for its growth.  Knows nothing of what is in it.

A sync of bytes that were there before waits for the device alone; one that follows an append waits for the file system's own journal too,
which takes two to four times as long.  SQLite reads a log as far as its frames are valid, and zeros are none: see
https://www.sqlite.org/fileformat2.html#walformat.  It takes no lock on the log, so that opening and closing it here gives none away.
"""

from __future__ import annotations

import os

PIECE = bytes(1 << 20)


def lengthen(path: str, size: int) -> None:
    """Fill the file with zeros up to so many bytes, on disk when this returns.  Where there is no room for it, it stays as it was.

    Nobody may write to it meanwhile.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return
    try:
        before = end = os.fstat(descriptor).st_size
        try:
            while end < size:
                end += os.pwrite(descriptor, PIECE[: size - end], end)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, before)
    finally:
        os.close(descriptor)
