"""Moves a version through its review: submitted by one person, approved by another."""

from __future__ import annotations

from server.domain.permission import Call
from server.domain.runbook import Runbook, approve, submit
from server.domain.version import Version
from server.domain.violation import Violations
from server.operations.administer_secrets import require_secrets
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.read_runbooks import check_version, load_runbook, load_version
from server.storage import runbooks, versions

LONGEST_COMMENT = 1000
LONGEST_DIGEST = 64


async def submit_for_review(env: Environment, call: Call, runbook_id: str, number: int) -> tuple[Runbook, Version]:
    """Submits a draft version; 0 means the newest."""
    violations = Violations()
    wanted = violations.uuid("runbook_id", runbook_id)
    check_version(violations, number, least=0)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        runbook = await load_runbook(tx.session, call, wanted, lock=True)
        version = await load_version(tx.session, runbook, number or runbook.latest_version)
        runbook, version = submit(runbook, version, by=call.caller.user_id, at=env.now())
        await versions.save_review(tx.session, version)
        await runbooks.save(tx.session, runbook)
        await tx.audit(
            "runbook.submitted", runbook.id, team_id=runbook.team_id, version=version.number, digest=version.digest
        )
    return runbook, version


async def approve_version(
    env: Environment, call: Call, runbook_id: str, number: int, *, digest: str, comment: str
) -> tuple[Runbook, Version]:
    """Approves a version that waits for review and makes it what runs."""
    violations = Violations()
    wanted = violations.uuid("runbook_id", runbook_id)
    check_version(violations, number, least=1)
    violations.text("digest", digest, shortest=1, longest=LONGEST_DIGEST)
    violations.text("comment", comment, longest=LONGEST_COMMENT)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        runbook = await load_runbook(tx.session, call, wanted, lock=True)
        version = await load_version(tx.session, runbook, number)
        runbook, version = approve(
            runbook, version, digest=digest, comment=comment, by=call.caller.user_id, at=env.now()
        )
        await require_secrets(tx.session, runbook.team_id, version, hold=True)
        await versions.save_review(tx.session, version)
        await runbooks.save(tx.session, runbook)
        await tx.audit(
            "runbook.approved", runbook.id, team_id=runbook.team_id, version=version.number, digest=version.digest
        )
    return runbook, version
