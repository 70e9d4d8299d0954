"""Etags: what tells a caller that a thing has changed since they read it."""

from __future__ import annotations

import hashlib
from uuid import UUID

from kernel.errors import Aborted


def etag(resource_id: UUID, revision: int) -> str:
    """Answers what changes with every revision; opaque, so that nobody counts on its form."""
    return hashlib.sha256(f"{resource_id}:{revision}".encode()).hexdigest()[:16]


def require_etag(what: str, current: str, wanted: str) -> None:
    """Refuses a change by somebody who read an older revision; an empty etag asks for nothing."""
    if wanted and wanted != current:
        raise Aborted(f"somebody changed the {what} meanwhile; read it again", reason="STALE_ETAG")
