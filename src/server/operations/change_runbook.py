"""Changes a runbook as a whole: what it is called, which approved version runs, and whether it is in service.

Nothing here touches what runs; that is in versions, and `review_runbook` moves those.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from server.domain import retirement
from server.domain.permission import Call
from server.domain.runbook import Runbook, check_description, check_name, roll_back
from server.domain.violation import Violations, require_uuid
from server.operations.administer_secrets import require_secrets
from server.operations.change import Change, change
from server.operations.create_runbook import refusing_taken_names, require_service
from server.operations.environment import Environment
from server.operations.read_runbooks import check_version, load_runbook, load_version
from server.storage import runbooks, versions

UPDATABLE = ("name", "description", "service_id")


@dataclass(frozen=True, slots=True)
class RunbookUpdate:
    """An update as sent: the runbook with new values, and which of them count."""

    runbook_id: str
    name: str
    description: str
    service_id: str
    etag: str
    paths: Sequence[str]


async def update_runbook(env: Environment, call: Call, update: RunbookUpdate) -> Runbook:
    """Changes name, description or service; where all are as wanted already, nothing happens."""
    violations = Violations()
    wanted = violations.uuid("runbook.id", update.runbook_id)
    changes = _checked_changes(violations, update)
    violations.raise_if_any()
    async with _changing(env, call, str(wanted), update.etag) as (tx, runbook):
        await require_service(tx.session, runbook.team_id, changes.get("service_id"))
        if replace(runbook, **changes) == runbook:
            return runbook
        runbook = runbook.changed(env.now(), **changes)
        with refusing_taken_names():
            await runbooks.save(tx.session, runbook)
        await tx.audit(
            "runbook.updated", runbook.id, team_id=runbook.team_id, name=runbook.name, fields=",".join(sorted(changes))
        )
    return runbook


async def rollback_runbook(env: Environment, call: Call, runbook_id: str, number: int, *, etag: str) -> Runbook:
    """Makes another approved version current."""
    violations = Violations()
    violations.uuid("runbook_id", runbook_id)
    check_version(violations, number, least=1)
    violations.raise_if_any()
    async with _changing(env, call, runbook_id, etag) as (tx, runbook):
        version = await load_version(tx.session, runbook, number)
        before, runbook = runbook, roll_back(runbook, version, at=env.now())
        if runbook != before:
            await require_secrets(tx.session, runbook.team_id, version, hold=True)
            await runbooks.save(tx.session, runbook)
            await tx.audit(
                "runbook.rolled_back",
                runbook.id,
                team_id=runbook.team_id,
                version=version.number,
                digest=version.digest,
                from_version=before.current_version,
            )
    return runbook


async def deprecate_runbook(env: Environment, call: Call, runbook_id: str, *, etag: str) -> Runbook:
    async with _changing(env, call, runbook_id, etag) as (tx, runbook):
        return await _save(tx, "runbook.deprecated", runbook, retirement.deprecate(runbook, at=env.now()))


async def archive_runbook(env: Environment, call: Call, runbook_id: str, *, etag: str) -> Runbook:
    """Takes a runbook out of service; one that is archived already stays as it is."""
    async with _changing(env, call, runbook_id, etag) as (tx, runbook):
        return await _save(tx, "runbook.archived", runbook, retirement.archive(runbook, at=env.now()))


async def restore_runbook(env: Environment, call: Call, runbook_id: str, *, etag: str) -> Runbook:
    """Brings an archived or deprecated runbook back into service."""
    async with _changing(env, call, runbook_id, etag) as (tx, runbook):
        waits = await versions.any_waits(tx.session, runbook.id)
        restored = retirement.restore(runbook, waits=waits, at=env.now())
        if runbook.current_version is not None:
            version = await load_version(tx.session, runbook, runbook.current_version)
            await require_secrets(tx.session, runbook.team_id, version, hold=True)
        return await _save(tx, "runbook.restored", runbook, restored)


def _checked_changes(violations: Violations, update: RunbookUpdate) -> dict[str, Any]:
    """Answers the new values of the fields that the mask names; fields that it does not name are not even looked at."""
    paths = set(update.paths)
    if not paths or paths - set(UPDATABLE):
        violations.add("update_mask", f"must name at least one of {', '.join(UPDATABLE)}, and nothing else")
    changes: dict[str, Any] = {}
    if "name" in paths:
        check_name(violations, "runbook.name", update.name)
        changes["name"] = update.name
    if "description" in paths:
        check_description(violations, "runbook.description", update.description)
        changes["description"] = update.description
    if "service_id" in paths:
        changes["service_id"] = violations.optional_uuid("runbook.service_id", update.service_id)
    return changes


@asynccontextmanager
async def _changing(env: Environment, call: Call, runbook_id: str, etag: str) -> AsyncIterator[tuple[Change, Runbook]]:
    """Opens the transaction of a change; the runbook is locked, allowed to the caller, and as the etag says."""
    wanted = require_uuid("runbook_id", runbook_id)
    async with change(env.sessions, call) as tx:
        runbook = await load_runbook(tx.session, call, wanted, lock=True)
        runbook.require_etag(etag)
        yield tx, runbook


async def _save(tx: Change, action: str, before: Runbook, after: Runbook) -> Runbook:
    """Stores and audits a move; what has not moved leaves no trace."""
    if after != before:
        await runbooks.save(tx.session, after)
        await tx.audit(action, after.id, team_id=after.team_id, from_status=before.status, to_status=after.status)
    return after
