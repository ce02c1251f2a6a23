"""Putting a copy in the store's place, while nobody has it open; what was there is kept."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tmcwatch.store.copying import BESIDE, Told, beside, connect, copy, remove, synchronize
from tmcwatch.store.engine import StoreError
from tmcwatch.store.holding import give, hold

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_HELD = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    size: int
    """In bytes."""
    kept: Path | None
    """Where the store that was there is now; None if there was none."""


def restore(
    backup: Path, path: Path, *, now: datetime, told: Told = lambda _done, _all: None
) -> Restored:
    """Make a copy of `backup`, which was found to be whole, the store at `path`.

    A crash leaves the old store or the new one, never none. Raises StoreError, also where
    somebody has the store open.
    """
    kept = path.with_name(f"{path.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
    if kept.exists():
        raise StoreError(f"{kept}: is there already, from another restore: wait a second")
    incoming = beside(path, ".restoring")
    with closing(hold(path)), _held(path):
        # Of a restore that was killed.
        remove(incoming)
        size = copy(backup, incoming, purpose=f"the store {path}", told=told)
        try:
            return Restored(size=size, kept=_swapped(incoming, path, kept))
        except OSError as error:
            raise StoreError(f"{path}: cannot be replaced: {error}") from error
        finally:
            incoming.unlink(missing_ok=True)


def _swapped(incoming: Path, path: Path, kept: Path) -> Path | None:
    """Put a file in the store's place; answer with where the old one is, if there was one."""
    # SQLite would play a log of the old file into the new one.
    for suffix in BESIDE:
        if beside(path, suffix).exists():
            beside(path, suffix).rename(beside(kept, suffix))
    found = path.exists()
    give(incoming, like=path if found else path.parent)
    if found:
        shutil.copymode(path, incoming)
        try:
            # A second name first, so that there is a store at every moment.
            kept.hardlink_to(path)
        except OSError:
            # Some file systems know no second names.
            path.rename(kept)
    incoming.replace(path)
    synchronize(path.parent)
    return kept if found else None


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep others than tmcwatch off, too; raises StoreError if somebody has the store open."""
    if not path.exists():
        yield
        return
    try:
        connection = connect(path, mode="rw")
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    with closing(connection):
        _take(connection, path)
        yield


def _take(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        # Only the last one who has it open may end the log: then all is in the one file.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _HELD:
            raise StoreError(
                f"{path}: somebody has the store open: stop the tmcwatch that runs on it first"
            ) from error
        # What is damaged cannot be locked; it is kept as it is, with its log.
        if code not in _DAMAGED:
            raise StoreError(f"{path}: {error}") from error
