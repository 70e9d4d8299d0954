"""What of a team a workflow may name, and what a draft names of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from kernel.execution.content import ParameterDefinition
from server.domain.violation import Violations
from server.domain.workflow.draft import NotifyDraft, RunbookDraft, WebhookDraft, WorkDraft, WorkflowDraft


@dataclass(frozen=True, slots=True)
class KnownRunbook:
    """A runbook of the team: whether it may run, and how its current version defines its parameters."""

    runnable: bool
    parameters: Sequence[ParameterDefinition] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What of the team a workflow may name. What is not here does not exist, or is another team's: all the same."""

    runbooks: Mapping[UUID, KnownRunbook] = field(default_factory=dict)
    channel_ids: Collection[UUID] = ()
    secret_names: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What a draft names, as far as its ids can be read: what to look up for `Known`."""

    runbook_ids: frozenset[UUID]
    channel_ids: frozenset[UUID]
    secret_names: frozenset[str]


def named_in(draft: WorkflowDraft) -> Named:
    """Answers what to look up; nothing of it is checked, and there may be any number."""
    works = list(_works(draft))
    secrets = [name for work in works if isinstance(work, WebhookDraft) for name in _secrets(work)]
    return Named(
        runbook_ids=_ids(work.runbook_id for work in works if isinstance(work, RunbookDraft)),
        channel_ids=_ids(channel for work in works if isinstance(work, NotifyDraft) for channel in work.channel_ids),
        secret_names=frozenset(secrets) - {""},
    )


def names_secret(work: WebhookDraft) -> bool:
    return any(_secrets(work))


def _works(draft: WorkflowDraft) -> Iterator[WorkDraft]:
    for node in draft.nodes:
        if node.work:
            yield node.work
    if draft.compensation and draft.compensation.work:
        yield draft.compensation.work


def _secrets(work: WebhookDraft) -> Iterator[str]:
    yield work.signing_secret_name
    for header in work.headers:
        yield header.secret_name


def _ids(texts: Iterable[str]) -> frozenset[UUID]:
    found = (Violations().uuid("", text) for text in texts)
    return frozenset(found) - {UUID(int=0)}
