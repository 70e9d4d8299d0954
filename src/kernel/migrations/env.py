"""What alembic runs: the connection comes from `kernel.migrations.upgrade`, never from a file."""

from alembic import context

from kernel.status_page_tables import metadata  # the one of kernel.tables, with the tables of both files in it

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
