"""What templates and conditions speak of.

| root | fields |
|---|---|
| `incident` | as it is now: `INCIDENT_FIELDS`; `acknowledged` is true or false, `labels` an object |
| `service` | `id`, `name`; of an incident without a service there is neither |
| `team` | `id`, `name` |
| `trigger` | `event`, `by` (who did it; empty: the platform), `incident` (as it was then, with the fields above) |
| `nodes.<name>` | of steps that have ended: `status`, `problem`, and what `NODE_FIELDS` says of its kind |

Severities compare as texts, and the worse is the less: `incident.severity in ["SEV1", "SEV2"]`,
`incident.severity < trigger.incident.severity` (it got worse). A label that an incident does not have, and the service
that it does not have, may be compared (`incident.labels.env == "prod"` is false) but not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias
from uuid import UUID

from server.domain.incident import Incident
from server.domain.workflow.definition import Event, Json
from server.domain.workflow.run import NodeState

Context: TypeAlias = "Mapping[str, Json]"


def incident_facts(incident: Incident, url: str = "") -> dict[str, Json]:
    """Answers what is told of an incident, as JSON: times in ISO 8601, UTC. Also what a run keeps of its trigger."""
    raise NotImplementedError


def build_context(
    *,
    event: Event,
    by: str,
    incident_then: Mapping[str, Json] | None,
    incident_now: Mapping[str, Json] | None,
    service: tuple[UUID, str] | None,
    team: tuple[UUID, str],
    nodes: Mapping[str, NodeState] | None = None,
    executions: Mapping[str, UUID] | None = None,
) -> Context:
    """Answers the context of a run, or of a workflow that may start.

    `by` is the display name of who did it; the incidents are `incident_facts`; `service` and `team` are id and name;
    `executions` are the executions of runbook nodes, by node. Without an incident there is no root `incident`, and no
    `trigger.incident`.
    """
    raise NotImplementedError
