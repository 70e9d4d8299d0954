"""What a script left in `$ONCALL_OUTPUT`, or why that could not be used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("executions", sa.Column("output", postgresql.JSONB()))
    op.add_column("executions", sa.Column("output_error", sa.Text(), server_default="", nullable=False))
