"""Checks a workflow before it is saved, and answers all that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from kernel.execution.content import ParameterDefinition
from server.domain.violation import Violations
from server.domain.workflow.definition import Definition
from server.domain.workflow.draft import WorkflowDraft


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
    raise NotImplementedError


def check_definition(violations: Violations, draft: WorkflowDraft, known: Known) -> Definition | None:
    """Answers the definition with defaults filled in; None after noting violations, each at its path.

    Paths are those of the contract: `workflow.nodes[2].runbook.parameters.host`. It reads every template, which takes
    tens of milliseconds in the worst case: not for an event loop.
    """
    raise NotImplementedError


def speaks_of_incident(definition: Definition) -> bool:
    """Whether any template or condition of it needs an incident, so that a run by hand has to name one."""
    raise NotImplementedError
