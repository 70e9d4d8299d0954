"""A team's secrets: put, listed and deleted. Their values go in, and no operation of the server reads them again."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.cipher import Cipher
from kernel.errors import AlreadyExists, FailedPrecondition
from kernel.secret_store import context_of
from server.domain.page import Page, PageRequest
from server.domain.permission import Call
from server.domain.secret import Secret, check_name, check_value, require_all
from server.domain.version import Version
from server.domain.violation import Violations, require_uuid
from server.operations.administer_teams import load_team
from server.operations.change import change
from server.operations.environment import Environment
from server.storage import secrets

MOST_NAMED_RUNBOOKS = 5


async def put_secret(env: Environment, call: Call, cipher: Cipher, *, team_id: str, name: str, value: str) -> Secret:
    """Seals a value and stores it, new or instead of the one before; executions that begin from now on get it."""
    violations = Violations()
    team = violations.uuid("team_id", team_id)
    check_name(violations, "name", name)
    check_value(violations, "value", value)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        await load_team(tx.session, call, team)
        sealed = cipher.seal(value.encode(), context_of(team, name))
        by, at = call.caller.user_id, env.now()
        new = Secret(env.new_id(), team, name, cipher.current_key_id, by, at, by, at)
        stored = await secrets.put(tx.session, new, sealed)
        if stored is None:
            raise AlreadyExists("the team has a secret of that name in another case", reason="SECRET_NAME_TAKEN")
        await tx.audit("secret.put", stored.id, team_id=team, name=name, replaced=stored.id != new.id)
    return stored


async def list_secrets(env: Environment, call: Call, team_id: str, request: PageRequest) -> Page[Secret]:
    wanted = require_uuid("team_id", team_id)
    cursor = env.pager.open(call.method, {"team_id": team_id}, request)
    async with env.sessions() as session:
        await load_team(session, call, wanted)
        found = await secrets.page(session, wanted, after=cursor.position, limit=cursor.size + 1)
    return cursor.page(found, lambda secret: secret.name.lower())


async def delete_secret(env: Environment, call: Call, *, team_id: str, name: str) -> None:
    """Deletes a secret that no runbook needs; one that is not there is as good as deleted."""
    violations = Violations()
    team = violations.uuid("team_id", team_id)
    check_name(violations, "name", name)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        await load_team(tx.session, call, team)
        secret = await secrets.find(tx.session, team, name, lock=True)
        if secret is None:
            return
        # Whoever approves meanwhile holds the secret, so what is read here is all that can need it.
        needed_by = await secrets.runbooks_that_need(tx.session, team, name, limit=MOST_NAMED_RUNBOOKS)
        if needed_by:
            raise FailedPrecondition(
                f"the current version of a runbook names this secret: {', '.join(needed_by)}",
                reason="SECRET_IN_USE",
                metadata={"runbooks": ",".join(needed_by)},
            )
        await secrets.remove(tx.session, secret.id)
        await tx.audit("secret.deleted", secret.id, team_id=team, name=name)


async def require_secrets(session: AsyncSession, team_id: UUID, version: Version, *, hold: bool = False) -> None:
    """Refuses a version whose secrets the team does not all have.

    With `hold` they stay until the transaction ends, for whoever makes the version a current one; whoever only runs it
    needs no lock, for the executor looks again.
    """
    named = version.content.secret_names
    require_all(named, await secrets.existing(session, team_id, named, hold=hold))
