"""Users, teams, memberships, services and API tokens between the contract and the domain."""

from __future__ import annotations

from oncall.v1 import team_pb2 as pb
from server.domain.team import ApiToken, Membership, Service, Team, User, UserDraft
from server.operations.administer_services import ServiceDraft
from server.rpc.conversion import enum_from_pb, enum_to_pb, time_to_pb


def user_to_pb(user: User) -> pb.User:
    return pb.User(
        id=str(user.id),
        email=user.email,
        display_name=user.display_name,
        is_platform_admin=user.is_platform_admin,
        service_account=user.service_account,
        created_at=time_to_pb(user.created_at),
    )


def user_from_pb(user: pb.User) -> UserDraft:
    return UserDraft(user.email, user.display_name, user.is_platform_admin, user.service_account)


def team_to_pb(team: Team) -> pb.Team:
    return pb.Team(id=str(team.id), name=team.name, created_at=time_to_pb(team.created_at))


def membership_to_pb(membership: Membership) -> pb.Membership:
    return pb.Membership(
        team_id=str(membership.team_id),
        team_name=membership.team_name,
        user_id=str(membership.user_id),
        user_name=membership.user_name,
        role=enum_to_pb(pb.Role, "ROLE_", membership.role.name),
    )


def role_from_pb(role: int) -> str:
    return enum_from_pb(pb.Role, "ROLE_", role)


def service_to_pb(service: Service) -> pb.Service:
    return pb.Service(
        id=str(service.id),
        team_id=str(service.team_id),
        name=service.name,
        description=service.description,
        created_at=time_to_pb(service.created_at),
    )


def service_from_pb(service: pb.Service) -> ServiceDraft:
    return ServiceDraft(service.team_id, service.name, service.description)


def api_token_to_pb(token: ApiToken) -> pb.ApiToken:
    return pb.ApiToken(
        id=str(token.id),
        user_id=str(token.user_id),
        display_name=token.display_name,
        prefix=token.prefix,
        created_at=time_to_pb(token.created_at),
        expires_at=time_to_pb(token.expires_at),
        last_used_at=time_to_pb(token.last_used_at),
        revoked_at=time_to_pb(token.revoked_at),
    )
