"""What happened to incidents is tried again where a workflow of it could not be looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incident_events", sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("incident_events", sa.Column("try_at", sa.DateTime(timezone=True)))
    op.add_column("incident_events", sa.Column("left_workflows", postgresql.ARRAY(sa.Uuid())))
