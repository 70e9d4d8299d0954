"""What alembic runs: the connection comes from `kernel.migrations.upgrade`, never from a file."""

from alembic import context

from kernel import incident_tables  # noqa: F401 - puts its and the status pages' tables into the metadata
from kernel.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
