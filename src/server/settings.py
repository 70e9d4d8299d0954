"""Settings of `python -m server` and `python -m server.jobs`, besides those that every process has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from kernel.settings import CoreSettings

Days = Annotated[int, Field(ge=0, le=36_500)]
"""A number of days, a century at most; 0: for ever."""


class ServerSettings(CoreSettings):
    server_listen: str = "127.0.0.1:7443"
    """host:port; port 0 picks a free one."""
    issuers_file: Path | None = None
    """Whose signed tokens are believed besides API tokens; see `docs/sign-in.md`. Unset: nobody's."""
    ready_file: Path | None = None
    """Where to say, once it is so, that the process serves and at which address."""
    watch_lease_seconds: float = Field(default=3.0, ge=0.5, le=60)
    """How long a gateway answers from what it keeps without having been heard of; as long, and as long again, may a
    revocation wait for a gateway that has gone away."""
    bad_credentials_per_minute: int = Field(default=30, ge=1)
    """How many credentials that nobody knows one client address may show before it is told to wait."""


class JobsSettings(CoreSettings):
    ready_file: Path | None = None
    log_retention_days: Days = 90
    """How long after its end an execution keeps its log; its record stays, with parts of the output."""
    execution_retention_days: Days = 400
    """How long after its end an execution is kept at all."""
    request_id_days: Days = 7
    """How long a repeated call answers what the first one made; after that it counts as a new call."""
