"""Creates, changes and deletes workflows. Everything about one is checked first, and all that is wrong is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import constraint_of
from kernel.errors import AlreadyExists
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.violation import Violations, require_uuid
from server.domain.workflow import quota
from server.domain.workflow.check import Known, KnownRunbook, check_definition, named_in
from server.domain.workflow.definition import Definition
from server.domain.workflow.draft import WorkflowDraft
from server.domain.workflow.drafting import draft_of
from server.domain.workflow.workflow import Workflow
from server.operations.change import Change, change, rehearsal
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_workflows import load_listed, load_workflow
from server.storage import notification_channels, secrets, teams, versions, workflows

UPDATABLE = (
    "name",
    "description",
    "enabled",
    "trigger",
    "nodes",
    "edges",
    "timeout_seconds",
    "brake",
    "compensation",
)
_OF_DRAFT = {"trigger": ("event", "condition"), "enabled": ()}
"""Which fields of a draft a path of the contract means, where it is not the one of its name."""


@dataclass(frozen=True, slots=True)
class WorkflowUpdate:
    """An update as sent: the workflow with new values, and which of them count."""

    workflow_id: str
    draft: WorkflowDraft = field(repr=False)
    enabled: bool
    etag: str
    paths: Sequence[str]
    validate_only: bool = False


async def create_workflow(
    env: Environment,
    call: Call,
    team_id: str,
    draft: WorkflowDraft,
    *,
    enabled: bool,
    key: RequestKey,
    validate_only: bool = False,
) -> Workflow:
    """Creates a workflow; with `validate_only` answers what it would be, having checked as much and stored nothing."""
    violations = Violations()
    team = violations.uuid("workflow.team_id", team_id)
    key.check(violations)
    violations.raise_if_any()
    begin = rehearsal if validate_only else change
    async with begin(env.sessions, call) as tx:
        call.require(team, "team")
        if await teams.find(tx.session, team) is None:
            raise not_found("team")
        if not validate_only and (first := await first_result(tx.session, call, key)):
            return await load_workflow(tx.session, call, UUID(first["workflow_id"]))
        quota.require_room_for_workflow(await workflows.count_of_team(tx.session, team))
        definition = await _checked(tx.session, team, draft)
        now = env.now()
        workflow = Workflow(
            id=env.new_id(),
            team_id=team,
            description=draft.description,
            enabled=enabled,
            definition=definition,
            version=1,
            failed_runs=0,
            revision=1,
            created_by=call.caller.user_id,
            created_at=now,
            updated_at=now,
        )
        with _refusing_taken_names():
            await workflows.add(tx.session, workflow)
        if not validate_only:
            await remember(tx.session, call, key, {"workflow_id": str(workflow.id)})
        await _audit(tx, "workflow.created", workflow)
    return workflow


async def update_workflow(env: Environment, call: Call, update: WorkflowUpdate) -> Workflow:
    """Changes what the mask names. The whole is checked again, but where only less of it happens from then on."""
    violations = Violations()
    wanted = violations.uuid("workflow.id", update.workflow_id)
    paths = set(update.paths)
    if not paths or paths - set(UPDATABLE):
        violations.add("update_mask", f"must name at least one of {', '.join(UPDATABLE)}, and nothing else")
    violations.raise_if_any()
    begin = rehearsal if update.validate_only else change
    async with begin(env.sessions, call) as tx:
        before = await load_workflow(tx.session, call, wanted, lock=True)
        before.require_etag(update.etag)
        enabled = update.enabled if "enabled" in paths else before.enabled
        draft = _merged(draft_of(before.definition, before.description), update.draft, paths)
        definition = before.definition
        if paths - {"enabled"} or (enabled and not before.enabled):
            definition = await _checked(tx.session, before.team_id, draft)
        after = before.changed(env.now(), description=draft.description, enabled=enabled, definition=definition)
        if after == before:
            return before
        with _refusing_taken_names():
            await workflows.save(tx.session, after)
        await _audit(tx, "workflow.updated", after, fields=",".join(sorted(paths)))
    return after


async def delete_workflow(env: Environment, call: Call, workflow_id: str, *, etag: str) -> None:
    """Deletes a workflow, also one that cannot be read; its runs stay, and those that go on keep what they have."""
    wanted = require_uuid("workflow_id", workflow_id)
    async with change(env.sessions, call) as tx:
        workflow = await load_listed(tx.session, call, wanted, lock=True)
        workflow.require_etag(etag)
        await workflows.remove(tx.session, workflow.id)
        await _audit(tx, "workflow.deleted", workflow)


def _merged(before: WorkflowDraft, sent: WorkflowDraft, paths: set[str]) -> WorkflowDraft:
    names = [name for path in paths for name in _OF_DRAFT.get(path, (path,))]
    return replace(before, **{name: getattr(sent, name) for name in names})


async def _checked(session: AsyncSession, team_id: UUID, draft: WorkflowDraft) -> Definition:
    known = await _known(session, team_id, draft)
    violations = Violations()
    # In a thread, because it reads every template.
    definition = await asyncio.to_thread(check_definition, violations, draft, known)
    violations.raise_if_any()
    if definition is None:
        raise ValueError("a draft without a definition has a violation")
    return definition


async def _known(session: AsyncSession, team_id: UUID, draft: WorkflowDraft) -> Known:
    """Answers what the team has of what a draft names."""
    named = named_in(draft)
    found = {}
    for runbook_id in sorted(named.runbook_ids):
        pair = await versions.find_to_execute(session, runbook_id, 0)
        if pair is not None and pair[0].team_id == team_id:
            runbook, version = pair
            parameters = version.content.parameters if version else ()
            found[runbook_id] = KnownRunbook(runbook.runnable and version is not None, parameters)
    channels = await notification_channels.existing(session, team_id, named.channel_ids)
    return Known(found, channels, await secrets.existing(session, team_id, named.secret_names))


async def _audit(tx: Change, action: str, workflow: Workflow, **detail: str) -> None:
    await tx.audit(
        action,
        workflow.id,
        team_id=workflow.team_id,
        name=workflow.name,
        version=workflow.version,
        enabled=workflow.enabled,
        **_secrets(workflow.definition),
        **detail,
    )


def _secrets(definition: Definition) -> dict[str, str]:
    """Answers which secrets its webhooks name and to which hosts these go, for the audit: no values, and no paths."""
    uses = definition.secret_uses
    if not uses:
        return {}
    hosts = sorted({urlsplit(work.url).hostname or "" for _, work in uses})
    return {"secret_names": ",".join(dict.fromkeys(name for name, _ in uses)), "secret_hosts": ",".join(hosts)}


@contextmanager
def _refusing_taken_names() -> Iterator[None]:
    """Turns the database's refusal of a name that the team uses already into ours; the transaction is over then."""
    try:
        yield
    except IntegrityError as error:
        if constraint_of(error) != "uq_workflows_team_id_name":
            raise
        raise AlreadyExists("the team has a workflow of that name", reason="NAME_TAKEN") from None
