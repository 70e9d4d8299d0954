"""API tokens: made for oneself, or by a platform admin for anybody; revoked at once and for good."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

from server.domain import token as tokens
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.team import ApiToken, check_name
from server.domain.violation import Violations, require_uuid
from server.operations.administer_users import load_user
from server.operations.change import Change, change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.storage import api_tokens


async def create_api_token(
    env: Environment, call: Call, key: RequestKey, *, user_id: str, display_name: str, expires_at: datetime | None
) -> tuple[ApiToken, str]:
    """Answers the record and the token itself, which nobody can read again: a repeat answers an empty one."""
    violations = Violations()
    owner = violations.optional_uuid("api_token.user_id", user_id)
    check_name(violations, "api_token.display_name", display_name)
    if expires_at is not None and expires_at <= env.now():
        violations.add("api_token.expires_at", "must be in the future")
    key.check(violations)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        user = await load_user(tx.session, _owner(call, owner))
        if first := await first_result(tx.session, call, key):
            existing = await api_tokens.find(tx.session, UUID(first["api_token_id"]))
            if existing is None:
                raise not_found("API token")
            return existing, ""
        record, token = await issue(env, tx, user.id, display_name, expires_at)
        await remember(tx.session, call, key, {"api_token_id": str(record.id)})
        return record, token


async def issue(
    env: Environment, tx: Change, user_id: UUID, display_name: str, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Stores a new token in the transaction of the caller."""
    issued = tokens.issue(secrets.token_bytes)
    record = ApiToken(env.new_id(), user_id, display_name, issued.prefix, env.now(), expires_at, None, None)
    await api_tokens.add(tx.session, record, issued.secret_hash)
    await tx.audit("api_token.created", record.id, user_id=str(user_id), prefix=record.prefix)
    return record, issued.token


async def revoke_others(tx: Change, kept: ApiToken) -> None:
    """Revokes all other tokens of the same user in the transaction of the caller."""
    for record in await api_tokens.revoke_others(tx.session, kept.user_id, kept.id):
        await tx.audit("api_token.revoked", record.id, user_id=str(record.user_id), prefix=record.prefix)


async def list_api_tokens(env: Environment, call: Call, user_id: str, request: PageRequest) -> Page[ApiToken]:
    violations = Violations()
    owner = violations.optional_uuid("user_id", user_id)
    violations.raise_if_any()
    cursor = env.pager.open(call.method, {"user_id": user_id}, request)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        user = await load_user(session, _owner(call, owner))
        found = await api_tokens.page(session, user.id, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda token: token.id)


async def revoke_api_token(env: Environment, call: Call, token_id: str) -> ApiToken:
    """Revokes a token; the next call with it is refused. Twice changes nothing."""
    wanted = require_uuid("api_token_id", token_id)
    async with change(env.sessions, call) as tx:
        record = await api_tokens.find(tx.session, wanted)
        if record is None or not _may_touch(call, record.user_id):
            raise not_found("API token")
        if await api_tokens.revoke(tx.session, wanted):
            await tx.audit("api_token.revoked", wanted, user_id=str(record.user_id), prefix=record.prefix)
        revoked = await api_tokens.find(tx.session, wanted)
        if revoked is None:
            raise not_found("API token")
        return revoked


def _owner(call: Call, named: UUID | None) -> UUID:
    """Answers whose tokens this is about; for all but platform admins, others do not exist."""
    owner = named or call.caller.user_id
    if not _may_touch(call, owner):
        raise not_found("user")
    return owner


def _may_touch(call: Call, owner: UUID) -> bool:
    return call.caller.is_platform_admin or owner == call.caller.user_id
