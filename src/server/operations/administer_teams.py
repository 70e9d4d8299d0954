"""Teams and who belongs to them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import constraint_of
from kernel.errors import AlreadyExists, FailedPrecondition
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, Role, not_found
from server.domain.request_key import RequestKey
from server.domain.team import Membership, Team, check_name
from server.domain.violation import Violations, require_uuid
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.storage import teams, users


async def load_team(session: AsyncSession, call: Call, team_id: UUID) -> Team:
    """Answers a team in which the caller may do what this RPC does."""
    call.require(team_id, "team")
    team = await teams.find(session, team_id)
    if team is None:
        raise not_found("team")
    return team


async def create_team(env: Environment, call: Call, name: str, key: RequestKey) -> Team:
    violations = Violations()
    check_name(violations, "team.name", name)
    key.check(violations)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        if first := await first_result(tx.session, call, key):
            return await load_existing(tx.session, UUID(first["team_id"]))
        team = Team(env.new_id(), name, env.now())
        try:
            await teams.add(tx.session, team)
        except IntegrityError as error:
            if constraint_of(error) != "uq_teams_name":
                raise
            raise AlreadyExists("there is a team of that name", reason="TEAM_NAME_TAKEN") from None
        await remember(tx.session, call, key, {"team_id": str(team.id)})
        await tx.audit("team.created", team.id, team_id=team.id, name=name)
    return team


async def load_existing(session: AsyncSession, team_id: UUID) -> Team:
    team = await teams.find(session, team_id)
    if team is None:
        raise not_found("team")
    return team


async def list_teams(env: Environment, call: Call, request: PageRequest) -> Page[Team]:
    """Lists the teams that the caller belongs to; all of them for a platform admin."""
    cursor = env.pager.open(call.method, {}, request)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await teams.page(session, call.visible_teams(), before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda team: team.id)


async def set_member(env: Environment, call: Call, team_id: str, user_id: str, role: str) -> Membership:
    """Gives a user a role, whatever role they had."""
    violations = Violations()
    team_key = violations.uuid("team_id", team_id)
    user_key = violations.uuid("user_id", user_id)
    if role not in Role.__members__:
        violations.add("role", "must be one of " + ", ".join(Role.__members__))
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        team = await load_team(tx.session, call, team_key)
        user = await users.find(tx.session, user_key)
        if user is None:
            raise not_found("user")
        if user.service_account:
            raise FailedPrecondition(
                "a service account belongs to no team: what it may call is named for it", reason="SERVICE_ACCOUNT"
            )
        await teams.set_member(tx.session, team.id, user.id, Role[role])
        await tx.audit("team.member_set", team.id, team_id=team.id, user_id=user_id, role=role)
    return Membership(team.id, team.name, user.id, user.display_name, Role[role])


async def remove_member(env: Environment, call: Call, team_id: str, user_id: str) -> None:
    """Takes a user out of a team; twice changes nothing."""
    violations = Violations()
    team_key = violations.uuid("team_id", team_id)
    user_key = violations.uuid("user_id", user_id)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        team = await load_team(tx.session, call, team_key)
        if await teams.remove_member(tx.session, team.id, user_key):
            await tx.audit("team.member_removed", team.id, team_id=team.id, user_id=user_id)


async def list_members(env: Environment, call: Call, team_id: str, request: PageRequest) -> Page[Membership]:
    """Lists members by user id."""
    wanted = require_uuid("team_id", team_id)
    cursor = env.pager.open(call.method, {"team_id": team_id}, request)
    after = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        await load_team(session, call, wanted)
        found = await teams.members(session, wanted, after=after, limit=cursor.size + 1)
    return cursor.page(found, lambda membership: membership.user_id)
