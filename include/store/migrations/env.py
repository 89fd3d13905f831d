"""Run by Alembic: take the connection, and with it the transaction, that `upgrade` opened."""

from alembic import context

from include.store.migrations import VERSION_TABLE
from include.store.warehouse import metadata

# The metadata lends its naming convention; the tables themselves are spelled out by each step.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
