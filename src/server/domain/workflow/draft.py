"""A workflow as it was sent: nothing checked. Enums by their names, empty where unset or unknown; ids as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from server.domain.workflow.definition import Header, Json


@dataclass(frozen=True, slots=True)
class RunbookDraft:
    runbook_id: str
    parameters: Mapping[str, Json] = field(default_factory=dict)
    detached: bool = False


@dataclass(frozen=True, slots=True)
class ConditionDraft:
    expression: str


@dataclass(frozen=True, slots=True)
class NotifyDraft:
    channel_ids: Sequence[str]
    subject: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class WebhookDraft:
    url: str
    method: str = ""
    body: Mapping[str, Json] | None = None
    headers: Sequence[Header] = ()
    signing_secret_name: str = ""


@dataclass(frozen=True, slots=True)
class DelayDraft:
    seconds: int


@dataclass(frozen=True, slots=True)
class ApprovalDraft:
    role: str = ""
    question: str = ""
    expires_seconds: int = 0


WorkDraft: TypeAlias = RunbookDraft | ConditionDraft | NotifyDraft | WebhookDraft | DelayDraft | ApprovalDraft


@dataclass(frozen=True, slots=True)
class NodeDraft:
    """No work: the oneof was not set."""

    name: str
    work: WorkDraft | None
    timeout_seconds: int = 0
    join: str = ""


@dataclass(frozen=True, slots=True)
class EdgeDraft:
    source: str
    target: str
    on: str = ""


@dataclass(frozen=True, slots=True)
class BrakeDraft:
    condition: str = ""
    failed_runs: int = 0


@dataclass(frozen=True, slots=True)
class CompensationDraft:
    work: RunbookDraft | None
    role: str = ""
    expires_seconds: int = 0


@dataclass(frozen=True, slots=True)
class WorkflowDraft:
    """No event: the trigger was not set, or is none that is known."""

    name: str
    event: str
    nodes: Sequence[NodeDraft]
    edges: Sequence[EdgeDraft]
    condition: str = ""
    description: str = ""
    timeout_seconds: int = 0
    brake: BrakeDraft | None = None
    compensation: CompensationDraft | None = None
