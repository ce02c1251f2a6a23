"""Copies of a store: consistent while it is written, whole or not there, closed to others."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tmcwatch.store.engine import BUSY_SECONDS, StoreError
from tmcwatch.store.holding import SHARED

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps next to a file while it is open; it belongs to that file alone."""

_NOT_ALLOWED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}

PAGES_AT_ONCE = 1_024
"""After so many the progress is told; 4 MB of them take some milliseconds."""

Told = Callable[[int, int], None]
"""Takes how much is done, and of how much."""


def connect(path: Path, *, mode: str = "ro") -> sqlite3.Connection:
    """Connect to a file that must be there already; raises sqlite3.Error."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
    )


def explained(error: sqlite3.Error | OSError) -> str:
    """Answer with what went wrong, and with what helps where SQLite's words do not say it."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOT_ALLOWED:
        return str(error)
    return (
        f"{error}: where a store was not closed, SQLite makes files beside it: run this as the "
        "user that tmcwatch runs as, or on a copy in a folder that may be written"
    )


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def size_of(path: Path) -> int:
    """Answer with the bytes that a copy may take: the log is played into it."""
    wal = beside(path, "-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)


def remove(path: Path) -> None:
    """Remove a file, and what SQLite kept next to it."""
    for suffix in ("", *BESIDE):
        beside(path, suffix).unlink(missing_ok=True)


def copy(
    source: Path, target: Path, *, purpose: str = "", told: Told = lambda _done, _all: None
) -> int:
    """Copy a store, also while others write it; answer with the copy's size in bytes.

    The copy appears under its name only when it is whole and on the disk, and replaces what
    was there. Raises StoreError, also where the disk has no room.
    """
    part = beside(target, ".part")
    try:
        _refuse_what_is_open(target)
        # A copy that was killed left it: its room is needed, and its log must not be played.
        remove(part)
        _require_room(source, purpose or f"the copy {target}", on=target.parent)
        with _begun(part) as require_ours:
            _copy_pages(source, part, told)
            synchronize(part)
            require_ours()
            part.replace(target)
        synchronize(target.parent)
        return target.stat().st_size
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{source}: cannot be copied to {target}: {explained(error)}") from error


def synchronize(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_what_is_open(target: Path) -> None:
    """Raise StoreError where a log lies beside it, which SQLite would play into the copy."""
    for suffix in BESIDE:
        if beside(target, suffix).exists():
            raise StoreError(
                f"{target}: somebody has that file open, or was killed with it: "
                f"{target.name}{suffix} is beside it: name another, or move both away"
            )


def _require_room(source: Path, purpose: str, *, on: Path) -> None:
    needed, free = size_of(source), shutil.disk_usage(on).free
    if free < needed:
        raise StoreError(
            f"{source}: no room for {purpose}: it takes {needed:,} bytes and the disk has "
            f"{free:,} left: make room, nothing was changed"
        )


def _copy_pages(source: Path, target: Path, told: Told) -> None:
    with closing(connect(source)) as old, closing(connect(target, mode="rw")) as new:
        # One view for the whole copy, taken first: without it a locked source is waited for
        # without end, and every write of another process would begin the copy anew.
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        old.backup(
            new, pages=PAGES_AT_ONCE, progress=lambda _, left, pages: told(pages - left, pages)
        )
        # One file then holds all of it, and can be read where nothing may be written.
        new.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def _begun(part: Path) -> Iterator[Callable[[], None]]:
    """Make the file that becomes the copy, and remove it on failure; gives a check of whose it is.

    A second copy to the same name takes the file away from the first one.
    """
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SHARED)
    ours = os.fstat(descriptor)
    os.close(descriptor)

    def require_ours() -> None:
        if not part.exists() or not os.path.samestat(part.stat(), ours):
            raise StoreError(f"{part}: another copy to the same name was begun meanwhile")

    try:
        yield require_ours
    except BaseException:
        require_ours()
        remove(part)
        raise
