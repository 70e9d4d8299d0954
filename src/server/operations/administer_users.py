"""Users, and who the caller is."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import constraint_of
from kernel.errors import AlreadyExists
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.team import Membership, User, UserDraft, check_user
from server.domain.violation import Violations
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.storage import teams, users


async def load_user(session: AsyncSession, user_id: UUID) -> User:
    user = await users.find(session, user_id)
    if user is None:
        raise not_found("user")
    return user


async def get_caller(env: Environment, call: Call) -> tuple[User, list[Membership]]:
    async with env.sessions() as session:
        user = await load_user(session, call.caller.user_id)
        return user, await teams.memberships_of(session, user.id)


async def create_user(env: Environment, call: Call, draft: UserDraft, key: RequestKey) -> User:
    """Creates a user or a service account; e-mail addresses are kept lower-cased."""
    draft = replace(draft, email=draft.email.lower())
    violations = Violations()
    check_user(violations, "user", draft)
    key.check(violations)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        if first := await first_result(tx.session, call, key):
            return await load_user(tx.session, UUID(first["user_id"]))
        user = User(
            id=env.new_id(),
            email=draft.email,
            display_name=draft.display_name,
            is_platform_admin=draft.is_platform_admin,
            service_account=draft.service_account,
            created_at=env.now(),
        )
        try:
            await users.add(tx.session, user)
        except IntegrityError as error:
            if constraint_of(error) != "uq_users_email":
                raise
            raise AlreadyExists("there is a user with that e-mail address", reason="EMAIL_TAKEN") from None
        await remember(tx.session, call, key, {"user_id": str(user.id)})
        await tx.audit(
            "user.created",
            user.id,
            is_platform_admin=user.is_platform_admin,
            service_account=user.service_account,
        )
    return user


async def list_users(env: Environment, call: Call, request: PageRequest) -> Page[User]:
    cursor = env.pager.open(call.method, {}, request)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await users.page(session, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda user: user.id)
