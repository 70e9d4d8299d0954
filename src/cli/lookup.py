"""Finds teams, runbooks and services by what people call them: a name, or an id."""

from __future__ import annotations

import uuid
from typing import Annotated, TypeVar

import typer

from cli.connection import Server
from cli.failure import fail
from cli.paging import paged
from cli.visible import visible
from oncall.v1.runbook_pb2 import Runbook
from oncall.v1.runbook_service_pb2 import GetRunbookRequest, ListRunbooksRequest
from oncall.v1.team_service_pb2 import GetCallerRequest, ListMembersRequest, ListServicesRequest, ListTeamsRequest
from oncall.v1.workflow_pb2 import Workflow
from oncall.v1.workflow_service_pb2 import GetWorkflowRequest, ListWorkflowsRequest

Named = TypeVar("Named", Runbook, Workflow)

RunbookName = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a runbook.")]
TeamOption = Annotated[str, typer.Option("--team", "-t", help="Name or id of a team, where a name is not enough.")]


def find_runbook(server: Server, name: str, team: str = "") -> Runbook:
    """Answers the runbook of that name or id; a name that several teams use is refused, naming the teams."""
    if is_id(name):
        return server.runbooks.GetRunbook(GetRunbookRequest(runbook_id=name)).runbook
    team_id = find_team(server, team) if team else ""
    request = ListRunbooksRequest(query=name[:200], team_id=team_id)
    every = paged(server.runbooks.ListRunbooks, request, "runbooks")
    found: list[Runbook] = [item for item in every if item.name == name]
    return _only_one(server, "runbook", name, team, found)


def find_workflow(server: Server, name: str, team: str = "") -> Workflow:
    """Answers the whole workflow of that name or id; a name that several teams use is refused, naming the teams."""
    if is_id(name):
        return server.workflows.GetWorkflow(GetWorkflowRequest(workflow_id=name)).workflow
    request = ListWorkflowsRequest(team_id=find_team(server, team) if team else "")
    every = paged(server.workflows.ListWorkflows, request, "workflows")
    found: list[Workflow] = [item for item in every if item.name == name]
    only = _only_one(server, "workflow", name, team, found)
    return server.workflows.GetWorkflow(GetWorkflowRequest(workflow_id=only.id)).workflow


def _only_one(server: Server, noun: str, name: str, team: str, found: list[Named]) -> Named:
    if not found:
        within = f" in team {team}" if team else ""
        fail(f"you can see no {noun} {visible(name)!r}{within}: see `oncall {noun} list`", 1)
    if len(found) > 1:
        names = team_names(server)
        teams = ", ".join(sorted(visible(names.get(item.team_id, item.team_id)) for item in found))
        fail(f"several teams have a {noun} {visible(name)!r}: choose one with --team: {teams}")
    return found[0]


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


def member_names(server: Server, team_id: str) -> dict[str, str]:
    """Answers what the members of a team are called, by user ids; whoever left it is not among them."""
    request = ListMembersRequest(team_id=team_id)
    return {found.user_id: found.user_name for found in paged(server.teams.ListMembers, request, "members")}


def is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
