"""Moves a version through its review: submitted by one person, approved or rejected by another.

The runbook's row is locked before anything is read, so of two decisions at once the second sees what the first made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.domain.permission import Call
from server.domain.runbook import Runbook, approve, reject, submit, withdraw
from server.domain.version import Version
from server.domain.violation import Violations
from server.operations.administer_secrets import require_secrets
from server.operations.change import Change, change
from server.operations.environment import Environment
from server.operations.read_runbooks import check_version, load_runbook, load_version
from server.storage import runbooks, versions

LONGEST_COMMENT = 1000
LONGEST_DIGEST = 64


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer says, as sent: about which version with which digest, of a runbook read with which etag."""

    runbook_id: str
    version: int
    digest: str
    comment: str
    etag: str = ""


async def submit_for_review(
    env: Environment, call: Call, runbook_id: str, number: int, *, etag: str
) -> tuple[Runbook, Version]:
    """Submits a draft version; 0 means the newest."""
    async with _reviewing(env, call, runbook_id, number, etag) as (tx, runbook, version):
        runbook, version = submit(runbook, version, by=call.caller.user_id, at=env.now())
        await _save(tx, "runbook.submitted", runbook, version)
    return runbook, version


async def withdraw_version(
    env: Environment, call: Call, runbook_id: str, number: int, *, etag: str
) -> tuple[Runbook, Version]:
    """Takes a version that waits for review back to draft; 0 means the newest."""
    async with _reviewing(env, call, runbook_id, number, etag) as (tx, runbook, version):
        others_wait = await versions.any_waits(tx.session, runbook.id, but=version.number)
        runbook, version = withdraw(runbook, version, others_wait=others_wait, at=env.now())
        await _save(tx, "runbook.withdrawn", runbook, version)
    return runbook, version


async def approve_version(env: Environment, call: Call, decision: Decision) -> tuple[Runbook, Version]:
    """Approves a version that waits for review and makes it what runs."""
    _check(decision, shortest_comment=0)
    async with _reviewing(env, call, decision.runbook_id, decision.version, decision.etag) as (tx, runbook, version):
        runbook, version = approve(
            runbook,
            version,
            digest=decision.digest,
            comment=decision.comment,
            by=call.caller.user_id,
            at=env.now(),
        )
        await require_secrets(tx.session, runbook.team_id, version, hold=True)
        await _save(tx, "runbook.approved", runbook, version)
    return runbook, version


async def reject_version(env: Environment, call: Call, decision: Decision) -> tuple[Runbook, Version]:
    """Rejects a version that waits for review, for good."""
    _check(decision, shortest_comment=1)
    async with _reviewing(env, call, decision.runbook_id, decision.version, decision.etag) as (tx, runbook, version):
        runbook, version = reject(
            runbook,
            version,
            digest=decision.digest,
            comment=decision.comment,
            others_wait=await versions.any_waits(tx.session, runbook.id, but=version.number),
            by=call.caller.user_id,
            at=env.now(),
        )
        await _save(tx, "runbook.rejected", runbook, version)
    return runbook, version


def _check(decision: Decision, *, shortest_comment: int) -> None:
    violations = Violations()
    violations.uuid("runbook_id", decision.runbook_id)
    check_version(violations, decision.version, least=1)
    violations.text("digest", decision.digest, shortest=1, longest=LONGEST_DIGEST)
    violations.text("comment", decision.comment, shortest=shortest_comment, longest=LONGEST_COMMENT)
    violations.raise_if_any()


@asynccontextmanager
async def _reviewing(
    env: Environment, call: Call, runbook_id: str, number: int, etag: str
) -> AsyncIterator[tuple[Change, Runbook, Version]]:
    """Opens the transaction of one step; the runbook is locked, allowed to the caller, and as the etag says."""
    violations = Violations()
    wanted = violations.uuid("runbook_id", runbook_id)
    check_version(violations, number, least=0)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        runbook = await load_runbook(tx.session, call, wanted, lock=True)
        runbook.require_etag(etag)
        yield tx, runbook, await load_version(tx.session, runbook, number or runbook.latest_version)


async def _save(tx: Change, action: str, runbook: Runbook, version: Version) -> None:
    await versions.save_review(tx.session, version)
    await runbooks.save(tx.session, runbook)
    await tx.audit(action, runbook.id, team_id=runbook.team_id, version=version.number, digest=version.digest)
