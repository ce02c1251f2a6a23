"""Opening the store: made when new, migrated when behind, refused when it is from the future."""

from sqlalchemy import Connection, inspect, text

from tmcwatch.store.engine import Store, StoreError
from tmcwatch.store.schema import metadata

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every schema this version knows, oldest first; the last is the one it works with."""


def open_store(url: str) -> Store:
    """Answer with the store at `url`, at this version's schema.

    Raises StoreError if it cannot be opened or written, is no store of ours, or is newer.
    """
    store = Store(url)
    try:
        found = store.write(_prepared)
        if found != REVISIONS[-1]:
            with store.failing_clearly():
                _migrate(store)
    except StoreError:
        store.close()
        raise
    return store


def _prepared(connection: Connection) -> str:
    """Make the tables of a new store; answer with the revision of the store."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(
            text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": REVISIONS[-1]}
        )
        return REVISIONS[-1]
    url = connection.engine.url
    if "alembic_version" not in tables:
        raise StoreError(f"{url}: this database holds something else, not a store of tmcwatch")
    revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if revision not in REVISIONS:
        raise StoreError(
            f"{url}: the store has schema {revision}, written by a newer tmcwatch; this version "
            f"knows {REVISIONS[-1]}: run the newer version, or restore a back-up from before it"
        )
    # A store that can be read but not written is found now, not at the first execution.
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    return revision


def _migrate(store: Store) -> None:
    # Imported here only: it costs ten megabytes that a store at the right schema never needs.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "tmcwatch.store:migrations")
    config.attributes["engine"] = store.engine
    command.upgrade(config, REVISIONS[-1])
