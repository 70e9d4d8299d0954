"""Settings of `python -m server` and `python -m server.jobs`, besides those that every process has."""

from __future__ import annotations

from pathlib import Path

from kernel.settings import CoreSettings


class ServerSettings(CoreSettings):
    server_listen: str = "127.0.0.1:7443"
    """host:port; port 0 picks a free one."""
    issuers_file: Path | None = None
    """Whose signed tokens are believed besides API tokens; see `docs/sign-in.md`. Unset: nobody's."""
    ready_file: Path | None = None
    """Where to say, once it is so, that the process serves and at which address."""


class JobsSettings(CoreSettings):
    ready_file: Path | None = None
