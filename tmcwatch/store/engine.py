"""The store's connections: one writer, readers beside it, on SQLite in WAL mode."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

__all__ = ["Connection", "Store", "StoreError"]

Result = TypeVar("Result")

BUSY_SECONDS = 10.0
"""How long a transaction waits for another process's, such as a back-up's."""


class StoreError(Exception):
    """The store cannot be used: one line that names it and says why."""


class Store:
    """Transactions on one database. Each runs a plain function, on whatever thread calls it.

    Raises StoreError where the database cannot be opened, read or written.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _engine(url)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction that holds the write lock from its start."""
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            raise StoreError(f"{self.url}: {error.orig}") from error

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` on a consistent view, without waiting for the writer."""
        try:
            with self._engine.connect().execution_options(reads=True) as connection:
                return work(connection)
        except DBAPIError as error:
            raise StoreError(f"{self.url}: {error.orig}") from error

    def close(self) -> None:
        self._engine.dispose()

    @property
    def engine(self) -> Engine:
        """For migrations."""
        return self._engine


def _engine(url: str) -> Engine:
    try:
        location = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"{url}: not a store's URL: {error}") from error
    path = Path(location.database or "")
    if not path.parent.is_dir():
        raise StoreError(f"{url}: there is no folder {path.parent}")
    engine = create_engine(location, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
    # The driver must not open transactions by itself: `_begin` says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    # A write that begins with a read meets "database is locked" under a second writer.
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
