"""Opening the store: made when new, copied and migrated when behind, refused when too new."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import structlog
from sqlalchemy import Connection, delete, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from tmcwatch.store.copying import copy
from tmcwatch.store.engine import Store, StoreError, path_of
from tmcwatch.store.holding import SHARED, hold
from tmcwatch.store.revisions import READABLE_BY, REVISIONS
from tmcwatch.store.schema import compatibility, metadata

log = structlog.get_logger()

COPIES_KEPT = 2
"""Copies of the last migrations: one of them more than a roll-back to the version before needs."""


def open_store(url: str) -> Store:
    """Answer with the store at `url`, at this version's schema or one that it can work with.

    Until it is closed nobody else opens it so. Raises StoreError if somebody has, if it cannot
    be opened or written, is no store of ours, is too new, or has to be migrated and the disk has
    no room for the copy that is made before.
    """
    store = Store(url)
    # Where it really is: a store that is reached by two names is still one.
    path = path_of(url).resolve()
    try:
        store.close_with_it(hold(path))
        _make_file(path)
        found = store.write(lambda connection: _prepared(connection, path))
        if found not in REVISIONS:
            log.warning("store_is_newer", store=url, schema=found, known=REVISIONS[-1])
        elif found != REVISIONS[-1]:
            _upgrade(store, path, found)
    except StoreError:
        store.close()
        raise
    return store


def copy_before(path: Path, revision: str) -> Path:
    """Answer with where the store is kept as it was before it got the schema `revision`."""
    return path.with_name(f"{path.name}.before-{revision}")


def say_who_may_read(connection: Connection) -> None:
    """Note in the store which older versions may run on this version's schema."""
    connection.execute(delete(compatibility))
    connection.execute(insert(compatibility).values(readable_by=READABLE_BY))


def _make_file(path: Path) -> None:
    """Make the file of a new store: SQLite would make it readable by everybody."""
    # What is there is never opened here: closing it would end the locks of SQLite's on it. What
    # cannot be made SQLite says better.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SHARED))


def _prepared(connection: Connection, path: Path) -> str:
    """Make the tables of a new store; answer with the revision of the store."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        _make(connection)
        return REVISIONS[-1]
    if "alembic_version" not in tables:
        raise StoreError(f"{path}: this database holds something else, not a store of tmcwatch")
    revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if revision not in REVISIONS and not _is_readable(connection, tables):
        raise StoreError(
            f"{path}: the store has schema {revision}, written by a newer tmcwatch; this version "
            f"knows {REVISIONS[-1]}: run the newer version, or go back to the copy from before "
            f"it: tmcwatch store restore {copy_before(path, revision)}"
        )
    # A store that can be read but not written is found now, not at the first execution.
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    return revision


def _make(connection: Connection) -> None:
    for statement in _making(connection.dialect.name):
        connection.exec_driver_sql(statement)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
    connection.execute(
        text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": REVISIONS[-1]}
    )
    say_who_may_read(connection)


@cache  # to write them takes three times as long as to run them, and a test makes many stores
def _making(dialect_name: str) -> tuple[str, ...]:
    """Answer with the statements that make the tables and their indexes."""
    dialect = make_url(f"{dialect_name}://").get_dialect()()
    made: list[CreateTable | CreateIndex] = []
    for table in metadata.sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made += [CreateTable(table), *map(CreateIndex, indexes)]
    return tuple(str(one.compile(dialect=dialect)) for one in made)


def _is_readable(connection: Connection, tables: set[str]) -> bool:
    """Tell whether the newer version that wrote the store left it usable by this one."""
    if compatibility.name not in tables:
        return False
    return connection.execute(select(compatibility.c.readable_by)).scalar() in REVISIONS


def _upgrade(store: Store, path: Path, found: str) -> None:
    """Copy a store that is behind, then migrate it."""
    kept = copy_before(path, REVISIONS[-1])
    purpose = f"the copy {kept.name} that is made before the store is migrated"
    size = copy(path, kept, purpose=purpose)
    log.info("store_copied", store=store.url, schema=found, copy=str(kept), bytes=size)
    try:
        with store.failing_clearly():
            _migrate(store)
    except StoreError as error:
        raise StoreError(
            f"{error}: it could not be migrated from schema {found} to {REVISIONS[-1]}; the store "
            f"is as it was, and copied to {kept.name}: make room if the disk is full, or run the "
            "version before"
        ) from error
    log.info("store_migrated", store=store.url, before=found, schema=REVISIONS[-1])
    _remove_old_copies(path)


def _remove_old_copies(path: Path) -> None:
    """Keep the newest copies: each is as large as the store, and they would fill its disk."""
    copies = [one for name in REVISIONS if (one := copy_before(path, name)).is_file()]
    for one in copies[:-COPIES_KEPT]:
        try:
            one.unlink()
        except OSError as error:
            log.warning("store_copy_not_removed", copy=str(one), problem=str(error))
        else:
            log.info("store_copy_removed", copy=str(one))


def _migrate(store: Store) -> None:
    # Imported here only: it costs ten megabytes that a store at the right schema never needs.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "tmcwatch.store:migrations")
    config.attributes["engine"] = store.engine
    command.upgrade(config, REVISIONS[-1])
