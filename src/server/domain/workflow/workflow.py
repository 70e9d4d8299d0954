"""A workflow as it is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from server.domain.etag import etag, require_etag
from server.domain.workflow.definition import Definition


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow in its present version; in lists, its definition has no nodes and no edges.

    `failed_runs` is how many runs of this version failed, one after the other, since the last one that completed.
    """

    id: UUID
    team_id: UUID
    description: str
    enabled: bool
    definition: Definition
    version: int
    failed_runs: int
    revision: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def etag(self) -> str:
        return etag(self.id, self.revision)

    def require_etag(self, wanted: str) -> None:
        require_etag("workflow", self.etag, wanted)

    def changed(self, at: datetime, *, description: str, enabled: bool, definition: Definition) -> Workflow:
        """Answers the workflow with these values, at its next revision; the same one where they are its own.

        Its version counts changes of what runs, and how many runs failed is counted anew with each.
        """
        after = replace(self, description=description, enabled=enabled, definition=definition)
        if after == self:
            return self
        if definition != self.definition:
            after = replace(after, version=self.version + 1, failed_runs=0)
        return replace(after, revision=self.revision + 1, updated_at=at)
