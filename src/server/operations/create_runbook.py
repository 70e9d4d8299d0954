"""Creates runbooks and adds versions to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import constraint_of
from kernel.errors import AlreadyExists
from kernel.execution.content import VersionContent
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.runbook import DRAFT, Runbook, check_description, check_name
from server.domain.version import Version, VersionDraft, check_draft
from server.domain.violation import Violations
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_runbooks import load_runbook, load_version
from server.storage import runbooks, services, teams, versions


@dataclass(frozen=True, slots=True)
class RunbookDraft:
    """A runbook as sent: nothing checked."""

    team_id: str
    service_id: str
    name: str
    description: str


async def create_runbook(
    env: Environment, call: Call, draft: RunbookDraft, version_draft: VersionDraft, key: RequestKey
) -> tuple[Runbook, Version]:
    """Creates a runbook in DRAFT together with its version 1."""
    violations = Violations()
    team_id = violations.uuid("runbook.team_id", draft.team_id)
    service_id = violations.optional_uuid("runbook.service_id", draft.service_id)
    check_name(violations, "runbook.name", draft.name)
    check_description(violations, "runbook.description", draft.description)
    content = _check(violations, version_draft, key)
    async with change(env.sessions, call) as tx:
        call.require(team_id, "team")
        if first := await first_result(tx.session, call, key):
            runbook = await load_runbook(tx.session, call, UUID(first["runbook_id"]))
            return runbook, await load_version(tx.session, runbook, 1)
        if await teams.find(tx.session, team_id) is None:
            raise not_found("team")
        await require_service(tx.session, team_id, service_id)
        now = env.now()
        runbook = Runbook(
            id=env.new_id(),
            team_id=team_id,
            service_id=service_id,
            name=draft.name,
            description=draft.description,
            status=DRAFT,
            current_version=None,
            latest_version=1,
            revision=1,
            created_by=call.caller.user_id,
            created_at=now,
            updated_at=now,
        )
        version = _version(runbook, content, version_draft, call, now)
        with refusing_taken_names():
            await runbooks.add(tx.session, runbook)
        await versions.add(tx.session, version)
        await remember(tx.session, call, key, {"runbook_id": str(runbook.id)})
        await tx.audit("runbook.created", runbook.id, team_id=team_id, name=runbook.name, digest=version.digest)
    return runbook, version


async def create_version(
    env: Environment, call: Call, runbook_id: str, draft: VersionDraft, key: RequestKey, *, etag: str
) -> Version:
    """Adds an immutable version; what runs does not change."""
    violations = Violations()
    wanted = violations.uuid("runbook_id", runbook_id)
    content = _check(violations, draft, key)
    async with change(env.sessions, call) as tx:
        runbook = await load_runbook(tx.session, call, wanted, lock=True)
        if first := await first_result(tx.session, call, key):
            return await load_version(tx.session, runbook, first["version"])
        runbook.require_etag(etag)
        runbook.refuse_if_archived()
        now = env.now()
        runbook = runbook.changed(now, latest_version=runbook.latest_version + 1)
        version = _version(runbook, content, draft, call, now)
        await versions.add(tx.session, version)
        await runbooks.save(tx.session, runbook)
        await remember(tx.session, call, key, {"version": version.number})
        await tx.audit(
            "runbook.version_created",
            runbook.id,
            team_id=runbook.team_id,
            version=version.number,
            digest=version.digest,
        )
    return version


def _check(violations: Violations, draft: VersionDraft, key: RequestKey) -> VersionContent:
    content = check_draft(violations, "version", draft)
    key.check(violations)
    violations.raise_if_any()
    if content is None:
        raise ValueError("a draft without content has a violation")
    return content


def _version(runbook: Runbook, content: VersionContent, draft: VersionDraft, call: Call, at: datetime) -> Version:
    return Version(
        runbook_id=runbook.id,
        number=runbook.latest_version,
        content=content,
        digest=content.digest(),
        change_note=draft.change_note,
        created_by=call.caller.user_id,
        created_at=at,
    )


async def require_service(session: AsyncSession, team_id: UUID, service_id: UUID | None) -> None:
    """Refuses a service that is not the team's own; none is always right."""
    if service_id is not None:
        service = await services.find(session, service_id)
        if service is None or service.team_id != team_id:
            raise not_found("service")


@contextmanager
def refusing_taken_names() -> Iterator[None]:
    """Turns the database's refusal of a name that the team uses already into ours; the transaction is over then."""
    try:
        yield
    except IntegrityError as error:
        if constraint_of(error) != "uq_runbooks_team_id_name":
            raise
        raise AlreadyExists("the team has a runbook of that name", reason="RUNBOOK_NAME_TAKEN") from None
