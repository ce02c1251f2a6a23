"""Opening the store: made when new, copied and migrated when behind, refused when too new."""

from functools import cache
from pathlib import Path

import structlog
from sqlalchemy import Connection, delete, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from tmcwatch.store.copying import copy, require_room
from tmcwatch.store.engine import Store, StoreError
from tmcwatch.store.revisions import READABLE_BY, REVISIONS
from tmcwatch.store.schema import compatibility, metadata

log = structlog.get_logger()


def open_store(url: str) -> Store:
    """Answer with the store at `url`, at this version's schema or one that it can work with.

    Raises StoreError if it cannot be opened or written, is no store of ours, is too new, or
    has to be migrated and the disk has no room for the copy that is made before.
    """
    store = Store(url)
    try:
        found = store.write(_prepared)
        if found not in REVISIONS:
            log.warning("store_is_newer", store=url, schema=found, known=REVISIONS[-1])
        elif found != REVISIONS[-1]:
            _upgrade(store, found)
    except StoreError:
        store.close()
        raise
    return store


def path_of(url: str) -> Path:
    return Path(make_url(url).database or "")


def copy_before(path: Path, revision: str) -> Path:
    """Answer with where the store is kept as it was before it got the schema `revision`."""
    return path.with_name(f"{path.name}.before-{revision}")


def say_who_may_read(connection: Connection) -> None:
    """Note in the store which older versions may run on this version's schema."""
    connection.execute(delete(compatibility))
    connection.execute(insert(compatibility).values(readable_by=READABLE_BY))


def _prepared(connection: Connection) -> str:
    """Make the tables of a new store; answer with the revision of the store."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        _make(connection)
        return REVISIONS[-1]
    url = connection.engine.url
    if "alembic_version" not in tables:
        raise StoreError(f"{url}: this database holds something else, not a store of tmcwatch")
    revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if revision not in REVISIONS and not _is_readable(connection, tables):
        raise StoreError(
            f"{url}: the store has schema {revision}, written by a newer tmcwatch; this version "
            f"knows {REVISIONS[-1]}: run the newer version, or restore the copy from before it, "
            f"{copy_before(path_of(str(url)), revision).name}"
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


def _upgrade(store: Store, found: str) -> None:
    """Copy a store that is behind, then migrate it."""
    path = path_of(store.url)
    kept = copy_before(path, REVISIONS[-1])
    purpose = f"the copy {kept.name} that is made before the store is migrated"
    require_room(path, purpose, on=path.parent)
    size = copy(path, kept)
    log.info("store_copied", store=store.url, schema=found, copy=str(kept), bytes=size)
    with store.failing_clearly():
        _migrate(store)
    log.info("store_migrated", store=store.url, before=found, schema=REVISIONS[-1])


def _migrate(store: Store) -> None:
    # Imported here only: it costs ten megabytes that a store at the right schema never needs.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "tmcwatch.store:migrations")
    config.attributes["engine"] = store.engine
    command.upgrade(config, REVISIONS[-1])
