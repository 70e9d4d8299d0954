"""Finds out who calls, from the credential of this very call: nothing is remembered between calls."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from kernel.errors import Unauthenticated
from server.domain import token
from server.domain.permission import Caller
from server.domain.team import ApiToken
from server.operations.environment import Environment
from server.storage import api_tokens

log = structlog.get_logger()

LAST_USE_GRAIN = timedelta(minutes=1)
_NO_HASH = bytes(32)


async def authenticate(env: Environment, credential: str) -> Caller:
    """Answers the caller; one and the same refusal for every kind of bad credential, so that none can be probed."""
    presented = token.parse(credential)
    if presented is None:
        raise _refusal()
    async with env.sessions() as session:
        known = await api_tokens.find_caller(session, presented.prefix)
    matches = presented.matches(known.secret_hash if known else _NO_HASH)
    now = env.now()
    if known is None or not matches or not known.record.works(now):
        raise _refusal()
    await _note_use(env, known.record, now)
    return known.caller


def _refusal() -> Unauthenticated:
    return Unauthenticated("the credential is unknown, expired or revoked")


async def _note_use(env: Environment, record: ApiToken, now: datetime) -> None:
    if record.last_used_at is not None and now - record.last_used_at < LAST_USE_GRAIN:
        return
    async with env.sessions() as session, session.begin():
        await api_tokens.touch(session, record.id, now.replace(second=0, microsecond=0))
