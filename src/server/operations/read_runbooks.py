"""Reads runbooks and versions, each caller those of their teams."""

from __future__ import annotations

import asyncio
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.difference import difference
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.runbook import Runbook, RunbookStatus
from server.domain.version import Version
from server.domain.violation import Violations
from server.operations.environment import Environment
from server.storage import runbooks, versions
from server.storage.runbooks import RunbookFilter

LONGEST_QUERY = 200
GREATEST_VERSION = 2**31 - 1


async def load_runbook(session: AsyncSession, call: Call, runbook_id: UUID, *, lock: bool = False) -> Runbook:
    """Answers a runbook that the caller may use as this RPC does; with `lock`, until the transaction ends."""
    runbook = await runbooks.find(session, runbook_id)
    if runbook is None:
        raise not_found("runbook")
    call.require(runbook.team_id, "runbook")
    if lock:  # only now: whoever may not see it neither waits for a lock nor holds one
        runbook = await runbooks.find(session, runbook_id, lock=True)
        if runbook is None:
            raise not_found("runbook")
    return runbook


def shown_to_execute(call: Call, found: tuple[Runbook, Version | None] | None) -> tuple[Runbook, Version | None]:
    """Answers what was found (`versions.find_to_execute`), if the caller may use that runbook as this RPC does."""
    if found is None:
        raise not_found("runbook")
    call.require(found[0].team_id, "runbook")
    return found


async def load_version(session: AsyncSession, runbook: Runbook, number: int) -> Version:
    version = await versions.find(session, runbook.id, number)
    if version is None:
        raise not_found("version")
    return version


def check_version(violations: Violations, number: int, *, least: int) -> None:
    """Wants the number of a version, counting from `least`."""
    violations.number("version", number, least=least, greatest=GREATEST_VERSION)


async def get_runbook(env: Environment, call: Call, runbook_id: str) -> Runbook:
    violations = Violations()
    wanted = violations.uuid("runbook_id", runbook_id)
    violations.raise_if_any()
    async with env.sessions() as session:
        return await load_runbook(session, call, wanted)


async def get_version(env: Environment, call: Call, runbook_id: str, number: int) -> Version:
    """Answers a version with its script; 0 means the current one, or the newest where none is approved."""
    violations = Violations()
    wanted = violations.uuid("runbook_id", runbook_id)
    check_version(violations, number, least=0)
    violations.raise_if_any()
    async with env.sessions() as session:
        runbook = await load_runbook(session, call, wanted)
        return await load_version(session, runbook, number or runbook.current_version or runbook.latest_version)


async def list_runbooks(
    env: Environment, call: Call, *, team_id: str, service_id: str, status: str, query: str, request: PageRequest
) -> Page[Runbook]:
    """Lists the runbooks that the caller may see, newest first; `status` is empty for any."""
    violations = Violations()
    team = violations.optional_uuid("team_id", team_id)
    service = violations.optional_uuid("service_id", service_id)
    if status and status not in RunbookStatus.__members__:
        violations.add("status", "must be one of " + ", ".join(RunbookStatus))
    violations.text("query", query, longest=LONGEST_QUERY)
    violations.raise_if_any()
    filters = {"team_id": team_id, "service_id": service_id, "status": status, "query": query}
    cursor = env.pager.open(call.method, filters, request)
    if team:
        call.require(team, "team")
    wanted = RunbookFilter(
        team_ids=[team] if team else call.visible_teams(),
        service_id=service,
        status=RunbookStatus(status) if status else None,
        query=query,
    )
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await runbooks.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda runbook: runbook.id)


async def list_versions(env: Environment, call: Call, runbook_id: str, request: PageRequest) -> Page[Version]:
    """Lists versions without their scripts, newest first."""
    violations = Violations()
    wanted = violations.uuid("runbook_id", runbook_id)
    violations.raise_if_any()
    cursor = env.pager.open(call.method, {"runbook_id": runbook_id}, request)
    before = int(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        await load_runbook(session, call, wanted)
        found = await versions.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda version: version.number)


async def diff_versions(env: Environment, call: Call, runbook_id: str, from_version: int, to_version: int) -> str:
    """Answers unified text of what differs; computed in a thread, for long scripts take a while."""
    violations = Violations()
    wanted = violations.uuid("runbook_id", runbook_id)
    violations.number("from_version", from_version, least=1, greatest=GREATEST_VERSION)
    violations.number("to_version", to_version, least=1, greatest=GREATEST_VERSION)
    violations.raise_if_any()
    async with env.sessions() as session:
        runbook = await load_runbook(session, call, wanted)
        old = await load_version(session, runbook, from_version)
        new = await load_version(session, runbook, to_version)
    return await asyncio.to_thread(difference, old, new)
