"""A version of a runbook: what is checked when it is written, and where its review stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from kernel.execution import tags
from kernel.execution.content import (
    MIB,
    ConcurrencyPolicy,
    NetworkPolicy,
    ResourceLimits,
    ScriptLanguage,
    VersionContent,
)
from server.domain import secret
from server.domain.parameter_definition import ParameterDraft, check_definitions
from server.domain.violation import Violations, why_unstorable

GREATEST_SCRIPT_BYTES = MIB
GREATEST_SETTINGS_BYTES = MIB // 2  # of everything but the script, so that a page of versions stays readable
LONGEST_CHANGE_NOTE = 1000
MOST_SECRETS = 50
DEFAULT_TIMEOUT_SECONDS = 60

Choice = TypeVar("Choice", bound=StrEnum)


class ReviewStatus(StrEnum):
    DRAFT = "DRAFT"
    PENDING_REVIEW = "PENDING_REVIEW"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Review:
    """Where the review of a version stands; the only thing about a version that changes."""

    status: ReviewStatus = ReviewStatus.DRAFT
    submitted_by: UUID | None = None
    submitted_at: datetime | None = None
    reviewed_by: UUID | None = None
    reviewed_at: datetime | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable snapshot of everything that runs, and its review."""

    runbook_id: UUID
    number: int
    content: VersionContent
    digest: str
    change_note: str
    created_by: UUID
    created_at: datetime
    review: Review = Review()


@dataclass(frozen=True, slots=True)
class VersionDraft:
    """A version as it was sent: nothing checked, choices possibly empty or unknown, zeros for what was not set."""

    script: str
    language: str
    parameters: Sequence[ParameterDraft] = ()
    timeout_seconds: int = 0
    max_retries: int = 0
    requires_confirm: bool = False
    secret_names: Sequence[str] = ()
    network: str = ""
    memory_bytes: int = 0
    cpus: float = 0.0
    processes: int = 0
    disk_bytes: int = 0
    concurrency: str = ""
    executor_tags: Sequence[str] = ()
    change_note: str = ""


def check_draft(violations: Violations, field: str, draft: VersionDraft) -> VersionContent | None:
    """Answers the content with defaults filled in; None after noting what is wrong. Limits: the contract's."""
    found = Violations()
    _check_script(found, f"{field}.script", draft.script)
    language = _choice(found, f"{field}.language", ScriptLanguage, draft.language, default=None)
    timeout_seconds = draft.timeout_seconds or DEFAULT_TIMEOUT_SECONDS
    found.number(f"{field}.timeout_seconds", timeout_seconds, least=1, greatest=300)
    found.number(f"{field}.max_retries", draft.max_retries, least=0, greatest=3)
    _check_secret_names(found, f"{field}.secret_names", draft.secret_names)
    network = _choice(found, f"{field}.network", NetworkPolicy, draft.network, default=NetworkPolicy.NONE)
    concurrency = _choice(
        found, f"{field}.concurrency", ConcurrencyPolicy, draft.concurrency, default=ConcurrencyPolicy.ALLOW
    )
    _check_executor_tags(found, f"{field}.executor_tags", draft.executor_tags)
    limits = _limits(found, f"{field}.limits", draft)
    parameters = check_definitions(found, f"{field}.parameters", draft.parameters)
    found.text(f"{field}.change_note", draft.change_note, longest=LONGEST_CHANGE_NOTE)
    if violations.include(found) or language is None or network is None or concurrency is None:
        return None
    content = VersionContent(
        script=draft.script,
        language=language,
        parameters=parameters,
        timeout_seconds=timeout_seconds,
        max_retries=draft.max_retries,
        requires_confirm=draft.requires_confirm,
        secret_names=tuple(sorted(draft.secret_names)),
        network=network,
        limits=limits,
        concurrency=concurrency,
        executor_tags=tags.in_order(draft.executor_tags),
    )
    if len(replace(content, script="").canonical()) > GREATEST_SETTINGS_BYTES:
        violations.add(f"{field}.parameters", f"must have at most {GREATEST_SETTINGS_BYTES:,} bytes in all")
        return None
    return content


def _check_script(violations: Violations, field: str, script: str) -> None:
    if not script:
        violations.add(field, "must not be empty")
    elif unstorable := why_unstorable(script):
        violations.add(field, unstorable)
    elif len(script.encode()) > GREATEST_SCRIPT_BYTES:
        violations.add(field, f"must have at most {GREATEST_SCRIPT_BYTES:,} bytes")


def _choice(
    violations: Violations, field: str, choices: type[Choice], value: str, *, default: Choice | None
) -> Choice | None:
    if not value and default is not None:
        return default
    if value in choices.__members__:
        return choices(value)
    violations.add(field, "must be one of " + ", ".join(choices))
    return None


def _check_secret_names(violations: Violations, field: str, names: Sequence[str]) -> None:
    if len(names) > MOST_SECRETS:
        violations.add(field, f"must be at most {MOST_SECRETS}")
        return
    violations.unique(field, [name.lower() for name in names])  # `SECRET_<NAME>` is in upper case
    for index, name in enumerate(names):
        secret.check_name(violations, f"{field}[{index}]", name)


def _check_executor_tags(violations: Violations, field: str, wanted: Sequence[str]) -> None:
    if len(wanted) > tags.MOST_ASKED_FOR:
        violations.add(field, f"must be at most {tags.MOST_ASKED_FOR}")
        return
    violations.unique(field, wanted)
    for index, tag in enumerate(wanted):
        if not tags.TAG.fullmatch(tag):
            violations.add(f"{field}[{index}]", f"must match {tags.TAG.pattern}")


def _limits(violations: Violations, field: str, draft: VersionDraft) -> ResourceLimits:
    standard = ResourceLimits()
    limits = ResourceLimits(
        memory_bytes=draft.memory_bytes or standard.memory_bytes,
        cpus=draft.cpus or standard.cpus,
        processes=draft.processes or standard.processes,
        disk_bytes=draft.disk_bytes or standard.disk_bytes,
    )
    violations.number(f"{field}.memory_bytes", limits.memory_bytes, least=16 * MIB, greatest=4096 * MIB)
    violations.number(f"{field}.cpus", limits.cpus, least=0.1, greatest=16)
    violations.number(f"{field}.processes", limits.processes, least=1, greatest=4096)
    violations.number(f"{field}.disk_bytes", limits.disk_bytes, least=MIB, greatest=1024 * MIB)
    return limits
