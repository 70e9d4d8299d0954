"""Finds teams, runbooks and services by what people call them: a name, or an id."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from cli.connection import Server
from cli.failure import fail
from cli.paging import paged
from cli.visible import visible
from oncall.v1.runbook_pb2 import Runbook
from oncall.v1.runbook_service_pb2 import GetRunbookRequest, ListRunbooksRequest
from oncall.v1.team_service_pb2 import GetCallerRequest, ListServicesRequest, ListTeamsRequest

RunbookName = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a runbook.")]
TeamOption = Annotated[str, typer.Option("--team", "-t", help="Name or id of a team, where a name is not enough.")]


def find_runbook(server: Server, name: str, team: str = "") -> Runbook:
    """Answers the runbook of that name or id; a name that several teams use is refused, naming the teams."""
    if is_id(name):
        return server.runbooks.GetRunbook(GetRunbookRequest(runbook_id=name)).runbook
    team_id = find_team(server, team) if team else ""
    request = ListRunbooksRequest(query=name[:200], team_id=team_id)
    found = [r for r in paged(server.runbooks.ListRunbooks, request, "runbooks") if r.name == name]
    if not found:
        within = f" in team {team}" if team else ""
        fail(f"you can see no runbook {visible(name)!r}{within}: see `oncall runbook list`", 1)
    if len(found) > 1:
        names = team_names(server)
        teams = ", ".join(sorted(visible(names.get(r.team_id, r.team_id)) for r in found))
        fail(f"several teams have a runbook {visible(name)!r}: choose one with --team: {teams}")
    runbook: Runbook = found[0]
    return runbook


def find_team(server: Server, team: str) -> str:
    """Answers the id of a team; without a name, that of the caller's only team."""
    if is_id(team):
        return team
    memberships = server.teams.GetCaller(GetCallerRequest()).memberships
    mine = {m.team_name: m.team_id for m in memberships}
    if team:
        known = mine if team in mine else {name: team_id for team_id, name in team_names(server).items()}
        if team not in known:
            fail(f"you can see no team {visible(team)!r}: see `oncall whoami`", 1)
        return known[team]
    if not mine:
        fail("you are in no team: name one with --team")
    if len(mine) > 1:
        fail(f"you are in several teams: choose one with --team: {', '.join(sorted(map(visible, mine)))}")
    return next(iter(mine.values()))


def find_service(server: Server, service: str, team_id: str) -> str:
    """Answers the id of a service of a team, by its id or its name."""
    if is_id(service):
        return service
    request = ListServicesRequest(team_id=team_id)
    known = {found.name: found.id for found in paged(server.teams.ListServices, request, "services")}
    if service not in known:
        fail(
            f"the team has no service {visible(service)!r}: it has {', '.join(map(visible, sorted(known))) or 'none'}",
            1,
        )
    found_id: str = known[service]
    return found_id


def team_names(server: Server) -> dict[str, str]:
    """Answers the names of all teams that the caller can see, by id."""
    return {team.id: team.name for team in paged(server.teams.ListTeams, ListTeamsRequest(), "teams")}


def is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
