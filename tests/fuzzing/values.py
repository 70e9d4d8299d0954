"""What could well be right in a field, by its name or by its message and name; a field nobody knows is an error.

What is an id, an etag or a token of something comes out of answers (`vocabulary`); what goes together is `fitting`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor

MIB = 1024 * 1024
HOUR, DAY = 3_600, 86_400
MONTH = 30 * DAY
WATCH_ID = "a-gateway-that-watches"

# What only the server says: set now and then, to be ignored.
_ANSWERED_ONLY = frozenset(
    {"status", "current_version", "latest_version", "token_prefix", "is_active", "access_count", "has_page_token"}
    | {"target_hint", "disabled_reason", "review_comment", "updates", "tokens", "report", "shown_status"}
)
_SELDOM = frozenset(
    {"limits", "default", "min", "max", "pattern", "max_length", "options", "parameters", "secret_names", "service_id"}
    | {"group_id", "component_ids", "request_id", "page_token", "etag"}
    | {"service_account", "is_platform_admin", "requires_confirm", "group", "chain_after"}
    | {"channel_ids", "headers", "signing_secret_name", "brake", "compensation", "edges", "known_content_tag"}
    | {"expires_at", "executor_tags", "ip_allowlist", "confirmed_change_ids", "AddIncidentUpdateRequest.impacts"}
    | {"ExecuteRequest.incident_id", "RunWorkflowRequest.incident_id", "ListDeliveriesRequest.incident_id"}
    | {"ListExecutionsRequest.incident_id", "ListWorkflowRunsRequest.incident_id"}
    | {"ListExecutionsRequest.workflow_run_id", "ListDeliveriesRequest.workflow_run_id"}
)
_ALWAYS = frozenset(
    {"Maintenance.component_ids", "RecordPartnerAccessesRequest.request_id", "Workflow.nodes", "client_ip"}
    | {"AnsweredAccesses.first_at", "AnsweredAccesses.last_at", "AnsweredAccesses.token_prefix"}
    | {"CreatePartnerRequest.partner", "ReportComponentStatusRequest.status", "AddIncidentUpdateRequest.status"}
)
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "version": (0, 3),
    "ExecuteRequest.version": (0, 1),
    "current_version": (1, 3),
    "latest_version": (1, 3),
    "from_version": (1, 2),
    "to_version": (1, 2),
    "page_size": (0, 4),
    "timeout_seconds": (1, 300),
    "max_retries": (0, 3),
    "memory_bytes": (64 * MIB, 256 * MIB),
    "disk_bytes": (16 * MIB, 64 * MIB),
    "processes": (16, 64),
    "cpus": (1, 1),
    "requests_per_minute": (1, 100),
    "after_sequence": (0, 2),
    "chain_after": (0, 50),
    "seconds": (1, 60),
    "expires_seconds": (0, 60),
    "access_count": (0, 9),
    "count": (1, 100),
    "failed_runs": (0, 3),
    "max": (3, 9),
    "max_length": (3, 9),
    "min": (0, 3),
    "position": (0, 3),
    "wanted_grant": (0, 100),
}
# Seconds from now, from and to.
_TIMES: Mapping[str, tuple[int, int]] = {
    "after": (-DAY, -HOUR),
    "before": (-HOUR, DAY),
    "expires_at": (HOUR, MONTH),
    "first_at": (-DAY, -HOUR),
    "last_at": (-HOUR, 0),
    "scheduled_for": (60, DAY),
    "scheduled_until": (DAY + 60, 9 * DAY),
    "started_at": (-DAY, -60),
}
_SECONDS: Mapping[str, tuple[int, int]] = {
    "expires_after": (10, HOUR),
    "grace_period": (0, DAY),
    "wait": (0, 1),  # some are waited for
}
_TEXTS: Mapping[str, Callable[[Random], str]] = {
    "name": lambda random: f"n_{random.randrange(10**9)}",
    "WorkflowNode.name": lambda random: random.choice("abc"),  # few, so that what speaks of one finds it
    "WebhookHeader.name": lambda random: random.choice(["X-Team", "X-Trace"]),
    "StatusPage.slug": lambda random: f"s-{random.randrange(10**9)}",
    "email": lambda random: f"e{random.randrange(10**9)}@example.org",
    "contact_email": lambda _: "partner@example.org",
    "script": lambda random: f"echo {random.random()}\n",
    "pattern": lambda random: random.choice(["[a-z]+", "^x?$", ".*"]),
    "time_zone": lambda random: random.choice(["UTC", "Europe/Berlin"]),
    "request_id": lambda random: f"request {random.randrange(5)}",
    "RecordPartnerAccessesRequest.request_id": lambda random: f"batch {random.randrange(10**9)}",
    "service_account": lambda _: "gateway",
    "ip_allowlist": lambda random: random.choice(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]),
    # Many, for who comes with bad tokens is not listened to for a while.
    "client_ip": lambda random: f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}",
    "watch_id": lambda random: WATCH_ID if random.random() < 0.9 else "a-gateway-that-was",
    "target": lambda random: random.choice(["https://hooks.example.org/in", "ops@example.org", "ntfys://example"]),
    "WorkflowTrigger.condition": lambda random: random.choice(["", 'incident.severity == "SEV1"', "incident.labels"]),
    "WorkflowBrake.condition": lambda random: random.choice(["", "false", 'team.name == "x"']),
    "expression": lambda random: random.choice(["true", "team.name", 'team.name == "x"', "nodes.a.status"]),
    "question": lambda random: random.choice(["Go on?", "{{ team.name }}?", "Really?", "{{ incident.title }}"]),
    "subject": lambda random: random.choice(["It is slow", "{{ team.name }} is told"]),
    "url": lambda random: random.choice(["https://example.org/hook", "https://example.org/{{ team.id }}"]),
    "method": lambda random: random.choice(["", "POST", "PUT"]),
    "node": lambda random: random.choice(["a", "a", "a", "b", ""]),
    "from_node": lambda _: "a",
    "to_node": lambda random: random.choice("bc"),
    "action": lambda random: random.choice(["runbook.created", "user.created"]),
    "resource_type": lambda random: random.choice(["runbook", "user"]),
    "logo_url": lambda _: "https://example.org/logo.svg",
    "support_url": lambda _: "https://example.org/help",
    "accent_color": lambda _: "#336699",
    "executor_tags": lambda random: random.choice(["eu", "us"]),
}
_PROSE = frozenset(
    {"body", "change_note", "comment", "description", "disabled_reason", "display_name", "message", "options"}
    | {"query", "review_comment", "target_hint", "title", "user_agent", "value"}
)
_WORD = re.compile(
    r".*_id|etag|digest|slug|page_token|secret_name|.*prefix|partner_token|token_of_page|session_token|known_content_tag"
)
_CHANGEABLE: Mapping[str, tuple[str, ...]] = {
    "UpdateComponentRequest": ("name", "description", "position", "only_show_if_degraded"),
    "UpdateMaintenanceRequest": ("title", "scheduled_until"),
    "UpdateNotificationChannelRequest": ("name", "events", "min_severity", "enabled"),
    "UpdatePartnerRequest": ("name", "contact_email", "component_ids", "expires_at", "requests_per_minute"),
    "UpdateRunbookRequest": ("name", "description", "service_id"),
    "UpdateStatusPageRequest": ("name", "visibility", "time_zone", "logo_url", "accent_color", "support_url"),
    "UpdateWorkflowRequest": ("name", "description", "enabled", "nodes", "timeout_seconds"),
}
_T = TypeVar("_T")


def text_of(message: Descriptor, field: FieldDescriptor) -> Callable[[Random], str] | None:
    """Answers what makes up a text for a field."""
    if text := _by_name(_TEXTS, message, field):
        return text
    return (lambda random: f"some text {random.randrange(100)}") if field.name in _PROSE else None


def is_new(message: Descriptor, field: FieldDescriptor) -> bool:
    """Whether a text is made up even where there is a real one: what is to be created has none yet."""
    return f"{message.name}.{field.name}" in _TEXTS


def is_word(name: str) -> bool:
    """Whether what means `name` is a word that only answers tell."""
    return name not in _TEXTS and _WORD.fullmatch(name) is not None


def number_of(message: Descriptor, field: FieldDescriptor) -> tuple[int, int] | None:
    return _by_name(_NUMBERS, message, field)


def time_of(message: Descriptor, field: FieldDescriptor) -> tuple[int, int]:
    """Answers from when to when a time may be, in seconds from now."""
    return _by_name(_TIMES, message, field) or (-DAY, MONTH)


def seconds_of(message: Descriptor, field: FieldDescriptor) -> tuple[int, int] | None:
    return _by_name(_SECONDS, message, field)


def changeable_in(request: Descriptor) -> tuple[str, ...] | None:
    """Answers what an update mask of the request may name."""
    return _CHANGEABLE.get(request.name)


def likelihood(message: Descriptor, field: FieldDescriptor) -> float:
    key = f"{message.name}.{field.name}"
    if key in _ALWAYS or field.name in _ALWAYS:
        return 1.0
    if key in _SELDOM or field.name in _SELDOM:
        return 0.2
    if field.name.endswith(("_at", "_by")):
        return 0.02
    return 0.1 if field.name in _ANSWERED_ONLY else 0.97


def is_always_there(message: Descriptor, field: FieldDescriptor) -> bool:
    return likelihood(message, field) == 1.0


def _by_name(table: Mapping[str, _T], message: Descriptor, field: FieldDescriptor) -> _T | None:
    return table.get(f"{message.name}.{field.name}") or table.get(field.name)
