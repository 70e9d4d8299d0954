"""What alembic runs: the connection comes from `kernel.migrations.upgrade`, never from a file."""

from alembic import context

from kernel import (  # noqa: F401 - put their tables into the metadata
    incident_tables,
    notification_tables,
    status_page_tables,
    workflow_tables,
)
from kernel.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
