"""What a workflow is: a trigger, a brake, and a graph of nodes. Values as they are kept with every run that started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from server.domain.permission import Role

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Event(StrEnum):
    """What can start a workflow."""

    MANUAL = "MANUAL"
    INCIDENT_CREATED = "INCIDENT_CREATED"
    INCIDENT_UPDATED = "INCIDENT_UPDATED"
    INCIDENT_RESOLVED = "INCIDENT_RESOLVED"


class On(StrEnum):
    """When an edge is taken. TRUE and FALSE leave conditions alone."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    ALWAYS = "ALWAYS"
    TRUE = "TRUE"
    FALSE = "FALSE"


class Join(StrEnum):
    """Whether a node begins with one taken edge into it, or wants all of them; decided once every edge into it is."""

    ANY = "ANY"
    ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a workflow; an empty condition is true."""

    event: Event
    condition: str = ""


@dataclass(frozen=True, slots=True)
class RunbookWork:
    """Runs a runbook; strings in `parameters` may be templates."""

    runbook_id: UUID
    parameters: Mapping[str, Json] = field(default_factory=dict)
    detached: bool = False


@dataclass(frozen=True, slots=True)
class ConditionWork:
    expression: str


@dataclass(frozen=True, slots=True)
class NotifyWork:
    """Tells channels; none named: all enabled ones of the team."""

    channel_ids: Sequence[UUID]
    subject: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a webhook: what it says, or which secret it carries after `prefix`."""

    name: str
    value: str = ""
    secret_name: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class WebhookWork:
    url: str
    method: str = "POST"
    body: Mapping[str, Json] | None = None
    headers: Sequence[Header] = ()
    signing_secret_name: str = ""

    @property
    def secret_names(self) -> frozenset[str]:
        """Answers which secrets of the team it sends, or is signed with."""
        return frozenset({self.signing_secret_name, *(header.secret_name for header in self.headers)}) - {""}


@dataclass(frozen=True, slots=True)
class DelayWork:
    seconds: int


@dataclass(frozen=True, slots=True)
class ApprovalWork:
    """Waits for the word of somebody with `role` who did not start the run; 0 seconds: as long as the run may take."""

    role: Role
    question: str = ""
    expires_seconds: int = 0


Work: TypeAlias = RunbookWork | ConditionWork | NotifyWork | WebhookWork | DelayWork | ApprovalWork


@dataclass(frozen=True, slots=True)
class Node:
    """One step; 0 seconds: as long as the run may take."""

    name: str
    work: Work
    timeout_seconds: int = 0
    join: Join = Join.ANY


@dataclass(frozen=True, slots=True)
class Edge:
    source: str
    target: str
    on: On = On.SUCCESS


@dataclass(frozen=True, slots=True)
class Brake:
    """When a workflow stops by itself: a true condition, or so many failed runs one after the other; 0: any number."""

    condition: str = ""
    failed_runs: int = 0


@dataclass(frozen=True, slots=True)
class Compensation:
    """A runbook that undoes what a run did, once somebody with `role` approves it in time."""

    work: RunbookWork
    role: Role
    expires_seconds: int


@dataclass(frozen=True, slots=True)
class Definition:
    """Everything that a run keeps of the workflow it started with."""

    name: str
    trigger: Trigger
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    timeout_seconds: int = 3600
    brake: Brake | None = None
    compensation: Compensation | None = None

    @property
    def secret_uses(self) -> Sequence[tuple[str, WebhookWork]]:
        """Answers the secrets that its webhooks name, each with the webhook, in order of names."""
        webhooks = [node.work for node in self.nodes if isinstance(node.work, WebhookWork)]
        return sorted(((name, work) for work in webhooks for name in work.secret_names), key=lambda use: use[0])

    def node(self, name: str) -> Node:
        """Answers the node of that name; a KeyError where there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
