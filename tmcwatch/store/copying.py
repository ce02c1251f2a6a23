"""Copies of a store: consistent while it is written, whole or not there, readable by us alone."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tmcwatch.store.engine import BUSY_SECONDS, StoreError

ONLY_OURS = 0o600
"""The store holds names and error texts of others: a copy is read by its owner alone."""

BESIDE = ("-wal", "-shm")
"""What SQLite keeps next to a file while it is open; it belongs to that file alone."""


def connect(path: Path, *, mode: str = "ro") -> sqlite3.Connection:
    """Connect to a file that must be there already; raises sqlite3.Error."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
    )


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def size_of(path: Path) -> int:
    """Answer with the bytes that a copy may take: the log is played into it."""
    wal = beside(path, "-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)


def require_room(source: Path, purpose: str, *, on: Path) -> None:
    """Raise StoreError where the disk of the folder `on` cannot hold a copy of `source`."""
    needed, free = size_of(source), shutil.disk_usage(on).free
    if free < needed:
        raise StoreError(
            f"{source}: no room for {purpose}: it takes {needed:,} bytes and the disk has "
            f"{free:,} left: make room, nothing was changed"
        )


def copy(source: Path, target: Path) -> int:
    """Copy a store, also while others write it; answer with the copy's size in bytes.

    The copy appears under its name only when it is whole and on the disk, and replaces what
    was there. Raises StoreError.
    """
    part = beside(target, ".part")
    try:
        with _removed_if_failed(part):
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, ONLY_OURS))
            _copy_pages(source, part)
            synchronize(part)
            part.replace(target)
            synchronize(target.parent)
            return target.stat().st_size
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{source}: cannot be copied to {target}: {error}") from error


def synchronize(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_pages(source: Path, target: Path) -> None:
    with closing(connect(source)) as old, closing(connect(target, mode="rw")) as new:
        # One view for the whole copy, taken first: without it a locked source is waited for
        # without end.
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        old.backup(new, pages=-1)
        # One file then holds all of it, and can be read where nothing may be written.
        new.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def _removed_if_failed(part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for suffix in ("", "-journal", *BESIDE):
            beside(part, suffix).unlink(missing_ok=True)
        raise
