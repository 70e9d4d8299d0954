"""The demo's team, its two people and their tokens: found where they are, created where they are not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import grpc

from cli.demo import content
from oncall.client import Client
from oncall.errors import OncallError
from oncall.v1 import team_pb2 as pb
from oncall.v1 import team_service_pb2 as rpc

Connect = Callable[[str], Client]
"""Makes a connection to the server as the owner of a token."""


@dataclass(frozen=True, slots=True)
class DemoTeam:
    """The team's id and a working token for each of its people, by part."""

    id: str
    tokens: Mapping[str, str]

    def __repr__(self) -> str:
        return f"DemoTeam(id={self.id!r})"


async def open_team(admin: Client, connect: Connect, kept_tokens: Mapping[str, str]) -> DemoTeam:
    """Answers the team, making what is missing of it; a kept token that still works is used again."""
    team = await _team(admin)
    tokens = {}
    for part, (email, name) in content.PEOPLE.items():
        user = await _user(admin, email, name)
        member = rpc.SetMemberRequest(team_id=team.id, user_id=user.id, role=pb.ROLE_TEAM_ADMIN)
        await admin.teams.SetMember(member)
        kept = kept_tokens.get(part, "")
        tokens[part] = kept if await _is_token_of(user, kept, connect) else await _token(admin, user)
    return DemoTeam(team.id, tokens)


async def revoke_own_token(admin: Client, token: str) -> None:
    """Ends the administrator's token that set up the demo: nothing of it is needed afterwards."""
    async for record in _tokens(admin):
        if record.prefix and token.startswith(record.prefix) and not record.HasField("revoked_at"):
            await admin.teams.RevokeApiToken(rpc.RevokeApiTokenRequest(api_token_id=record.id))
            return


async def _team(admin: Client) -> pb.Team:
    page_token = ""
    while True:
        answer = await admin.teams.ListTeams(rpc.ListTeamsRequest(page_size=500, page_token=page_token))
        for team in answer.teams:
            if team.name == content.TEAM:
                return team
        page_token = answer.next_page_token
        if not page_token:
            break
    created = await admin.teams.CreateTeam(rpc.CreateTeamRequest(team=pb.Team(name=content.TEAM)))
    return created.team


async def _user(admin: Client, email: str, name: str) -> pb.User:
    page_token = ""
    while True:
        answer = await admin.teams.ListUsers(rpc.ListUsersRequest(page_size=500, page_token=page_token))
        for user in answer.users:
            if user.email == email:
                return user
        page_token = answer.next_page_token
        if not page_token:
            break
    created = await admin.teams.CreateUser(rpc.CreateUserRequest(user=pb.User(email=email, display_name=name)))
    return created.user


async def _is_token_of(user: pb.User, token: str, connect: Connect) -> bool:
    if not token:
        return False
    try:
        async with connect(token) as client:
            caller = await client.teams.GetCaller(rpc.GetCallerRequest())
    except OncallError as error:
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            return False
        raise
    return caller.user.id == user.id


async def _token(admin: Client, user: pb.User) -> str:
    wanted = pb.ApiToken(user_id=user.id, display_name="oncall up --demo")
    created = await admin.teams.CreateApiToken(rpc.CreateApiTokenRequest(api_token=wanted))
    return created.token


async def _tokens(client: Client) -> AsyncIterator[pb.ApiToken]:
    page_token = ""
    while True:
        answer = await client.teams.ListApiTokens(rpc.ListApiTokensRequest(page_size=500, page_token=page_token))
        for record in answer.api_tokens:
            yield record
        page_token = answer.next_page_token
        if not page_token:
            return
