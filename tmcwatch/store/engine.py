"""The store's connections: one writer, readers beside it, on SQLite in WAL mode."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

__all__ = ["Connection", "Store", "StoreDamagedError", "StoreError"]

Result = TypeVar("Result")

BUSY_SECONDS = 10.0
"""How long a transaction waits for another process's, such as a back-up's."""


_SQLITE = "sqlite:///"


class StoreError(Exception):
    """The store cannot be used: one line that names it and says why."""


class StoreDamagedError(StoreError):
    """The store's file is damaged: no waiting heals it, so the line says what to do."""


def path_of(url: str) -> Path:
    """Answer with the store's file, taken as it is written: a `%` or `?` in it means itself."""
    path = url.removeprefix(_SQLITE)
    if path in ("", url):
        raise StoreError(f"{url}: not a store's URL: it begins with {_SQLITE}")
    return Path(path)


class Closable(Protocol):
    def close(self) -> None: ...


class Store:
    """Transactions on one database. Each runs a plain function, on whatever thread calls it.

    Raises StoreError where the database cannot be opened, read or written.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _engine(url)
        self._closed_with: list[Closable] = []

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction that holds the write lock from its start."""
        with self.failing_clearly(), self._engine.begin() as connection:
            # A write that begins with a read meets "database is locked" under a second writer.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return work(connection)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` on a consistent view, without waiting for the writer."""
        with self.failing_clearly(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            return work(connection)

    @contextmanager
    def failing_clearly(self) -> Iterator[None]:
        """Raise what the database cannot do as a StoreError that says what a person can."""
        try:
            yield
        except DBAPIError as error:
            raise _explained(self.url, error) from error

    def close(self) -> None:
        self._engine.dispose()
        for one in self._closed_with:
            one.close()

    def close_with_it(self, other: Closable) -> None:
        """Have something closed after the store."""
        self._closed_with.append(other)

    @property
    def engine(self) -> Engine:
        """For migrations, which begin their transaction themselves."""
        return self._engine


_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NOT_ALLOWED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_WAY_OUT = (
    "stop tmcwatch, move the file away together with its -wal and -shm, and start again: it reads "
    "TMC's last days as history and tells one digest; or restore a back-up, as the README says"
)


def _explained(url: str, error: DBAPIError) -> StoreError:
    # The low byte is the kind of failure; the rest tells shades of it apart.
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return StoreDamagedError(f"{url}: the file is damaged ({error.orig}): {_WAY_OUT}")
    path = path_of(url)
    if code in _NOT_ALLOWED and path.is_dir():
        return StoreError(f"{url}: {path} is a folder, not a file: name a file in it")
    if code in _NOT_ALLOWED and path.exists() and not _is_ours(path):
        return StoreError(
            f"{url}: the file may not be read and written ({error.orig}): give it, its folder and "
            "its -wal and -shm to the user that tmcwatch runs as"
        )
    return StoreError(f"{url}: {error.orig}")


def _is_ours(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _engine(url: str) -> Engine:
    path = path_of(url)
    if not path.parent.is_dir():
        raise StoreError(f"{url}: there is no folder {path.parent}")
    location = URL.create("sqlite", database=str(path))
    engine = create_engine(location, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
    # The driver must not open transactions by itself: whoever begins one says which kind. (An
    # event at the begin of each would say so at one place, but every statement pays for it.)
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
