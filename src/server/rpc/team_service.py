"""TeamService: translates, calls, translates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from oncall.v1 import team_service_pb2 as pb
from oncall.v1 import team_service_pb2_grpc
from server.operations import administer_api_tokens, administer_services, administer_teams, administer_users
from server.operations.environment import Environment
from server.operations.watch_team import TeamWatches, open_team
from server.rpc.conversion import page_request, request_key, time_from_pb
from server.rpc.current_call import current_call
from server.rpc.interception import Context
from server.rpc.team_change_conversion import team_change_to_pb
from server.rpc.team_conversion import (
    api_token_to_pb,
    membership_to_pb,
    role_from_pb,
    service_from_pb,
    service_to_pb,
    team_to_pb,
    user_from_pb,
    user_to_pb,
)


class TeamService(team_service_pb2_grpc.TeamServiceServicer):
    def __init__(self, env: Environment, watches: TeamWatches) -> None:
        self._env = env
        self._watches = watches

    async def GetCaller(self, request: pb.GetCallerRequest, context: Context) -> pb.GetCallerResponse:
        user, memberships = await administer_users.get_caller(self._env, current_call())
        return pb.GetCallerResponse(user=user_to_pb(user), memberships=map(membership_to_pb, memberships))

    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        user = await administer_users.create_user(
            self._env, current_call(), user_from_pb(request.user), request_key(request)
        )
        return pb.CreateUserResponse(user=user_to_pb(user))

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        page = await administer_users.list_users(self._env, current_call(), page_request(request))
        return pb.ListUsersResponse(users=page.map(user_to_pb), next_page_token=page.next_token)

    async def CreateTeam(self, request: pb.CreateTeamRequest, context: Context) -> pb.CreateTeamResponse:
        team = await administer_teams.create_team(self._env, current_call(), request.team.name, request_key(request))
        return pb.CreateTeamResponse(team=team_to_pb(team))

    async def ListTeams(self, request: pb.ListTeamsRequest, context: Context) -> pb.ListTeamsResponse:
        page = await administer_teams.list_teams(self._env, current_call(), page_request(request))
        return pb.ListTeamsResponse(teams=page.map(team_to_pb), next_page_token=page.next_token)

    async def SetMember(self, request: pb.SetMemberRequest, context: Context) -> pb.SetMemberResponse:
        membership = await administer_teams.set_member(
            self._env, current_call(), request.team_id, request.user_id, role_from_pb(request.role)
        )
        return pb.SetMemberResponse(membership=membership_to_pb(membership))

    async def RemoveMember(self, request: pb.RemoveMemberRequest, context: Context) -> pb.RemoveMemberResponse:
        await administer_teams.remove_member(self._env, current_call(), request.team_id, request.user_id)
        return pb.RemoveMemberResponse()

    async def ListMembers(self, request: pb.ListMembersRequest, context: Context) -> pb.ListMembersResponse:
        page = await administer_teams.list_members(self._env, current_call(), request.team_id, page_request(request))
        return pb.ListMembersResponse(members=page.map(membership_to_pb), next_page_token=page.next_token)

    async def CreateService(self, request: pb.CreateServiceRequest, context: Context) -> pb.CreateServiceResponse:
        service = await administer_services.create_service(
            self._env, current_call(), service_from_pb(request.service), request_key(request)
        )
        return pb.CreateServiceResponse(service=service_to_pb(service))

    async def ListServices(self, request: pb.ListServicesRequest, context: Context) -> pb.ListServicesResponse:
        page = await administer_services.list_services(
            self._env, current_call(), request.team_id, page_request(request)
        )
        return pb.ListServicesResponse(services=page.map(service_to_pb), next_page_token=page.next_token)

    async def CreateApiToken(self, request: pb.CreateApiTokenRequest, context: Context) -> pb.CreateApiTokenResponse:
        wanted = request.api_token
        record, token = await administer_api_tokens.create_api_token(
            self._env,
            current_call(),
            request_key(request),
            user_id=wanted.user_id,
            display_name=wanted.display_name,
            expires_at=time_from_pb("api_token.expires_at", wanted.expires_at)
            if wanted.HasField("expires_at")
            else None,
        )
        return pb.CreateApiTokenResponse(api_token=api_token_to_pb(record), token=token)

    async def ListApiTokens(self, request: pb.ListApiTokensRequest, context: Context) -> pb.ListApiTokensResponse:
        page = await administer_api_tokens.list_api_tokens(
            self._env, current_call(), request.user_id, page_request(request)
        )
        return pb.ListApiTokensResponse(api_tokens=page.map(api_token_to_pb), next_page_token=page.next_token)

    async def RevokeApiToken(self, request: pb.RevokeApiTokenRequest, context: Context) -> pb.RevokeApiTokenResponse:
        record = await administer_api_tokens.revoke_api_token(self._env, current_call(), request.api_token_id)
        return pb.RevokeApiTokenResponse(api_token=api_token_to_pb(record))

    async def WatchTeam(self, request: pb.WatchTeamRequest, context: Context) -> AsyncIterator[pb.WatchTeamResponse]:
        call = current_call()
        team_id = await open_team(self._env, call, request.team_id)
        async with aclosing(self._watches.watch(call, team_id)) as changes:
            async for seen in changes:
                yield team_change_to_pb(seen)
