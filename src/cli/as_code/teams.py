"""What files name of teams, each asked for once."""

from __future__ import annotations

from cli.connection import Server
from cli.lookup import find_team
from cli.paging import paged
from oncall.v1.team_service_pb2 import ListServicesRequest


def service_names(server: Server, team_id: str) -> dict[str, str]:
    """Answers the names of a team's services by id."""
    request = ListServicesRequest(team_id=team_id)
    return {service.id: service.name for service in paged(server.teams.ListServices, request, "services")}


class Teams:
    """What is asked about teams, each once."""

    def __init__(self, server: Server, default: str) -> None:
        self._server = server
        self._default = default
        self._ids: dict[str, str] = {}
        self._services: dict[str, dict[str, str]] = {}

    def id_of(self, team: str) -> str:
        wanted = team or self._default
        if wanted not in self._ids:
            self._ids[wanted] = find_team(self._server, wanted)
        return self._ids[wanted]

    def services_of(self, team_id: str) -> dict[str, str]:
        if team_id not in self._services:
            self._services[team_id] = service_names(self._server, team_id)
        return self._services[team_id]
