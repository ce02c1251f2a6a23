"""Alembic's entry: runs migrations on the engine that it is handed, in one transaction."""

from alembic import context

from tmcwatch.store.opening import say_who_may_read
from tmcwatch.store.schema import metadata

with context.config.attributes["engine"].begin() as connection:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()
    say_who_may_read(connection)
