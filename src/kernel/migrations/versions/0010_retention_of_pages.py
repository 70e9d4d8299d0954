"""Until when each status of a component was shown, and indexes to find what of a page has outlived its retention."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UNTIL_THE_NEXT_ONE = """
    UPDATE component_status_changes AS former SET until = following.at
    FROM (SELECT component_id, at AS since, lead(at) OVER (PARTITION BY component_id ORDER BY at) AS at
          FROM component_status_changes) AS following
    WHERE former.component_id = following.component_id AND former.at = following.since AND following.at IS NOT NULL
"""


def upgrade() -> None:
    op.add_column("component_status_changes", sa.Column("until", sa.DateTime(timezone=True)))
    op.execute(UNTIL_THE_NEXT_ONE)
    _index("ix_component_status_changes_until", "component_status_changes", "until")
    _index("ix_partner_tokens_expires_at", "partner_tokens", "expires_at")
    _index("ix_partner_tokens_revoked_at", "partner_tokens", "revoked_at")
    _index("ix_incidents_resolved", "incidents", "resolved_at")
    _index("ix_maintenances_ended", "maintenances", "ended_at")


def _index(name: str, table: str, column: str) -> None:
    op.create_index(name, table, [column], postgresql_where=sa.text(f"{column} IS NOT NULL"))
