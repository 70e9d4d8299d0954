"""Which of a runbook's versions a file stands for, for apply and export alike: what is exported applies as it is."""

from __future__ import annotations

from cli.connection import Server
from oncall.v1.runbook_pb2 import RUNBOOK_VERSION_STATUS_REJECTED, Runbook, RunbookVersion
from oncall.v1.runbook_service_pb2 import GetRunbookVersionRequest


def comparable_version(server: Server, runbook: Runbook, digest: str = "") -> RunbookVersion:
    """Answers the newest version; where that was rejected, and is not the one with `digest`, the one that runs."""
    newest = _version(server, runbook, runbook.latest_version)
    if newest.status != RUNBOOK_VERSION_STATUS_REJECTED or newest.digest == digest or not runbook.current_version:
        return newest
    return _version(server, runbook, runbook.current_version)


def _version(server: Server, runbook: Runbook, number: int) -> RunbookVersion:
    request = GetRunbookVersionRequest(runbook_id=runbook.id, version=number)
    version: RunbookVersion = server.runbooks.GetRunbookVersion(request).version
    return version
