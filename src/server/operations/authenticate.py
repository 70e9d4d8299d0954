"""Finds out who calls, from the credential of this very call: nothing is remembered between calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from kernel.database import single_statements
from server.domain import token
from server.domain.issuer import Identity
from server.domain.permission import Caller
from server.domain.runbook import Runbook
from server.domain.team import ApiToken
from server.domain.version import Version
from server.operations.environment import Environment
from server.operations.sign_in import sign_in
from server.storage import api_tokens

LAST_USE_GRAIN = timedelta(minutes=1)
_NO_HASH = bytes(32)


class Issuers(Protocol):
    """Those whose signed tokens are believed."""

    async def identify(self, token: str) -> Identity: ...


@dataclass(frozen=True, slots=True)
class WantedRunbook:
    """A runbook that somebody calls to execute, and which version of it: 0 means the current one."""

    id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class ReadRunbook:
    """What there was of a `WantedRunbook`, whoever may see it; None where there was nothing."""

    found: tuple[Runbook, Version | None] | None


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who calls; and what they want to execute, where it was read along."""

    caller: Caller
    runbook: ReadRunbook | None = None


async def authenticate(
    env: Environment,
    credential: str,
    issuers: Issuers | None = None,
    *,
    peer: str = "",
    wanted: WantedRunbook | None = None,
) -> Authenticated:
    """Answers the caller: an API token begins with `oct_`, all else is a signed token, where there are `issuers`.

    `peer` is the address that the audit names for a first sign-in. What is `wanted` is read along where that saves a
    round trip.

    One and the same refusal for every kind of bad credential, so that none can be probed; whoever proves to hold a
    token that was good is told more.
    """
    if issuers is not None and not credential.startswith(token.MARK):
        return Authenticated(await sign_in(env, await issuers.identify(credential), peer))
    return await _with_api_token(env, credential, wanted)


async def _with_api_token(env: Environment, credential: str, wanted: WantedRunbook | None) -> Authenticated:
    presented = token.parse(credential)
    if presented is None:
        raise token.bad_credential()
    known, runbook = None, None
    async with single_statements(env.sessions) as statements:
        if wanted is None:
            known = await api_tokens.find_caller(statements, presented.prefix)
        elif both := await api_tokens.find_caller_and_runbook(statements, presented.prefix, wanted.id, wanted.number):
            known, runbook = both[0], ReadRunbook(both[1])
    matches = presented.matches(known.secret_hash if known else _NO_HASH)
    now = env.now()
    if known is None or not matches or not known.record.works(now):
        raise token.bad_credential()
    await _note_use(env, known.record, now)
    return Authenticated(known.caller, runbook)


async def _note_use(env: Environment, record: ApiToken, now: datetime) -> None:
    if record.last_used_at is not None and now - record.last_used_at < LAST_USE_GRAIN:
        return
    async with env.sessions() as session, session.begin():
        await api_tokens.touch(session, record.id, now.replace(second=0, microsecond=0))
