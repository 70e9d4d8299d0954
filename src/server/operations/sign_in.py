"""Finds the user behind an identity that an issuer vouches for, and makes or links one on first sign-in where trusted.

The issuer is trusted as far as its configuration says and no further. An e-mail address alone never makes somebody
sign in as a user who was here before: only where linking is configured and the issuer has verified the address, and
never as a platform admin or a service account. Somebody who is to be a platform admin signs in first and is made one
on the server's machine afterwards.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.audit import AuditEntry, append
from kernel.database import constraint_of, transaction
from kernel.errors import Aborted, Unauthenticated
from server.domain.issuer import Identity
from server.domain.permission import Caller
from server.domain.team import User
from server.operations.environment import Environment
from server.storage import identities, users

ATTEMPTS = 3
_RACES = {"uq_users_email", "pk_identities"}


async def sign_in(env: Environment, identity: Identity, peer: str) -> Caller:
    """Answers the caller; Unauthenticated, with a reason, where this identity is nobody here and may not become so."""
    for _ in range(ATTEMPTS):
        async with env.sessions() as session:
            known = await _find(session, identity)
        if known is not None:
            return known
        try:
            async with transaction(env.sessions) as tx:
                await _admit(env, tx.session, identity, peer)
        except IntegrityError as error:
            # Somebody signed in for the first time at the same moment: what they made is found in the next round.
            if constraint_of(error) not in _RACES:
                raise
    raise Aborted("somebody else signed in with the same identity at once; try again", reason="CONFLICT")


async def _find(session: AsyncSession, identity: Identity) -> Caller | None:
    return await identities.find_caller(session, identity.issuer.name, identity.subject)


async def _admit(env: Environment, session: AsyncSession, identity: Identity, peer: str) -> None:
    """Links the identity to the user whose address it proves, or to a new one."""
    identity.require_trusted()
    user = await users.find_by_email(session, identity.address)
    if user is None:
        user = await _create(env, session, identity, peer)
    elif await _find(session, identity):
        return  # made by a sign-in at the same moment, which has been committed since
    elif user.is_platform_admin or user.service_account or not identity.proves(user.email):
        raise Unauthenticated("another user here has your e-mail address; ask an admin", reason="EMAIL_TAKEN")
    else:
        await append(session, _entry("identity.linked", user.id, identity, peer))
    await identities.add(session, identity.issuer.name, identity.subject, user.id, env.now())


async def _create(env: Environment, session: AsyncSession, identity: Identity, peer: str) -> User:
    draft = identity.newcomer()
    user = User(env.new_id(), draft.email, draft.display_name, False, "", env.now())
    await users.add(session, user)
    await append(session, _entry("user.created", user.id, identity, peer))
    return user


def _entry(action: str, user_id: UUID, identity: Identity, peer: str) -> AuditEntry:
    return AuditEntry(
        action=action,
        resource_id=str(user_id),
        actor_id=user_id,
        detail={"issuer": identity.issuer.name, "subject": identity.subject},
        peer=peer,
    )
