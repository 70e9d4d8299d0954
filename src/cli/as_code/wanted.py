"""Which of a runbook's versions a file stands for, for apply and export alike: what is exported applies as it is."""

from __future__ import annotations

from cli.connection import Server
from cli.paging import paged
from oncall.v1.runbook_pb2 import RUNBOOK_VERSION_STATUS_REJECTED, Runbook, RunbookVersion
from oncall.v1.runbook_service_pb2 import GetRunbookVersionRequest
from oncall.v1.team_service_pb2 import ListServicesRequest


def comparable_version(server: Server, runbook: Runbook, digest: str = "") -> RunbookVersion:
    """Answers the newest version; where that was rejected, and is not the one with `digest`, the one that runs."""
    newest = _version(server, runbook, runbook.latest_version)
    if newest.status != RUNBOOK_VERSION_STATUS_REJECTED or newest.digest == digest or not runbook.current_version:
        return newest
    return _version(server, runbook, runbook.current_version)


def service_names(server: Server, team_id: str) -> dict[str, str]:
    """Answers the names of a team's services by id."""
    request = ListServicesRequest(team_id=team_id)
    return {service.id: service.name for service in paged(server.teams.ListServices, request, "services")}


def _version(server: Server, runbook: Runbook, number: int) -> RunbookVersion:
    request = GetRunbookVersionRequest(runbook_id=runbook.id, version=number)
    version: RunbookVersion = server.runbooks.GetRunbookVersion(request).version
    return version
