"""The format of a workflow file: the one description from which files are checked and the JSON schema is made.

Fields are named as in the contract, but for ids, which files give as names; enum values as there in lower case. What
only the server can judge (templates, circles, a runbook's parameters, what a team has) is left to it.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from cli.as_code.checking import Part
from cli.as_code.schema_text import schema_text
from cli.as_code.yaml_writing import plain_number

FORMAT = "workflow/v1"
WORKS = ("runbook", "condition", "notify", "webhook", "delay", "approval")
WEEK = 604_800
_GREATEST_WHOLE = 2**53


def _storable(value: Any) -> Any:
    """Answers a value as the contract carries it, keys in order; it knows doubles alone."""
    if isinstance(value, dict):
        return {name: _storable(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("finite_number", "must have no number that is not finite")
    if isinstance(value, int) and abs(value) > _GREATEST_WHOLE:
        raise PydanticCustomError("whole_number", "must have no whole number beyond 2^53: quote it")
    return plain_number(value) if isinstance(value, float) else value


def _word(value: object) -> object:
    """Answers the word for true and false, which YAML takes for something else where they are not quoted."""
    return str(value).lower() if isinstance(value, bool) else value


NodeName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,62}$")]
Values = Annotated[dict[str, Any], AfterValidator(_storable)]
Reference = Annotated[str, Field(min_length=1, max_length=200)]
Role = Literal["responder", "team_admin"]
On = Annotated[
    Literal["success", "failure", "always", "true", "false"],
    BeforeValidator(_word),
    WithJsonSchema({"enum": ["success", "failure", "always", "true", "false", True, False]}),
]


class Trigger(Part):
    """What starts it."""

    event: Literal["manual", "incident_created", "incident_updated", "incident_resolved"] = Field(
        description="What has to happen; manual: somebody runs it."
    )
    condition: str = Field(
        "",
        max_length=1000,
        description="An expression over incident, service, team and trigger that has to be true; not with manual.",
    )


class Runbook(Part):
    """Runs a runbook of the team in its current version."""

    name: Reference = Field(description="Name or id of the runbook, which has to be approved.")
    parameters: Values = Field({}, description="Its parameters; strings may be templates.")
    detached: bool = Field(False, description="Whether to go on at once, without waiting for the end.")


class Condition(Part):
    """Decides which way to go: the edges on true or on false are taken."""

    expression: str = Field(min_length=1, max_length=1000, description="What counts as true or false.")


class Notify(Part):
    """Tells channels of the team."""

    channels: list[Reference] = Field([], description="Names or ids of channels; none: all enabled ones of the team.")
    subject: str = Field(min_length=1, max_length=10_000, description="A template of one line.")
    body: str = Field("", max_length=10_000, description="A template, in Markdown.")


class Header(Part):
    """A header of a webhook, with what it says or the secret that it carries."""

    name: str = Field(min_length=1, max_length=100, description="Its name.")
    value: str = Field("", max_length=1000, description="What it says.")
    secret_name: str = Field("", max_length=64, description="Name of the team's secret that it carries instead.")
    prefix: str = Field("", max_length=1000, description="What stands before the secret, for instance 'Bearer '.")


class Webhook(Part):
    """Calls an address; a status of 200 to 299 is success."""

    url: str = Field(min_length=1, max_length=10_000, description="A template; http or https, its host named outright.")
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="How it is called.")
    body: Values | None = Field(None, description="What is sent as JSON; strings may be templates.")
    headers: list[Header] = Field([], max_length=20, description="Its headers; no templates.")
    signing_secret_name: str = Field(
        "", max_length=64, description="Name of the team's secret that signs it, after Standard Webhooks."
    )


class Delay(Part):
    """Waits."""

    seconds: int = Field(ge=1, le=WEEK, description="For how long.")


class Approval(Part):
    """Waits for somebody's word: approved is success, rejected or expired is failure."""

    role: Role = Field("responder", description="The least role of who may give it, but for whoever started the run.")
    question: str = Field("", max_length=10_000, description="A template: what is asked.")
    expires_seconds: int = Field(
        0, ge=0, le=WEEK, description="After how long nobody's word counts as no; 0: when the run's time is over."
    )


class Node(Part):
    """One step; what it does is one of runbook, condition, notify, webhook, delay and approval."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [work]} for work in WORKS]})
    name: NodeName = Field(description="Unique in the workflow; later steps speak of it as nodes.NAME.")
    timeout_seconds: int = Field(
        0, ge=0, le=WEEK, description="How long it may take; 0: as long as what remains of the run."
    )
    join: Literal["any", "all"] = Field(
        "any", description="Whether one taken edge into it is enough to begin it, or all have to be taken."
    )
    runbook: Runbook | None = Field(None, description="Runs a runbook.")
    condition: Condition | None = Field(None, description="Decides which way to go.")
    notify: Notify | None = Field(None, description="Tells channels of the team.")
    webhook: Webhook | None = Field(None, description="Calls an address.")
    delay: Delay | None = Field(None, description="Waits.")
    approval: Approval | None = Field(None, description="Waits for somebody's word.")


class Edge(Part):
    """Leads from a step to another."""

    from_node: str = Field(description="The step that it leaves.")
    to_node: str = Field(description="The step that it leads to.")
    on: On = Field("success", description="When it is taken; true and false leave a condition.")


class Brake(Part):
    """When it stops by itself."""

    condition: str = Field(
        "", max_length=1000, description="Stops a run once it is true: over incident as it is now, and trigger."
    )
    failed_runs: int = Field(
        0, ge=0, le=100, description="After how many failed runs in a row none starts by the trigger; 0: any number."
    )


class Compensation(Part):
    """A runbook that undoes what a run did, offered when one ended otherwise than well."""

    runbook: Runbook = Field(description="The runbook.")
    role: Role = Field("responder", description="The least role of who may approve it.")
    expires_seconds: int = Field(3600, ge=1, le=WEEK, description="How long it is offered.")


class WorkflowForm(Part):
    """A workflow of `oncall`: `oncall workflow apply` brings the server to what the file says."""

    model_config = ConfigDict(title="Workflow")
    oncall: Literal["workflow/v1"] = Field(description="The format of this file.")
    name: str = Field(
        min_length=1, max_length=100, description="Unique within the team; who changes it makes another workflow."
    )
    team: str = Field(
        "", max_length=200, description="Name or id of the team that owns it; else --team, or your only team."
    )
    description: str = Field("", max_length=10_000, description="What it is for.")
    enabled: bool | None = Field(
        None, description="Whether it starts by its trigger. Not given: a new one does, another is left as it is."
    )
    trigger: Trigger = Field(description="What starts it.")
    timeout_seconds: int = Field(3600, ge=1, le=WEEK, description="How long a run may take in all.")
    nodes: list[Node] = Field(min_length=1, max_length=100, description="Its steps.")
    edges: list[Edge] = Field([], max_length=500, description="What leads from step to step, without a circle.")
    brake: Brake | None = Field(None, description="When it stops by itself.")
    compensation: Compensation | None = Field(None, description="What undoes a run.")


def json_schema_text() -> str:
    """Answers the JSON schema of the format, for editors."""
    return schema_text(WorkflowForm)
