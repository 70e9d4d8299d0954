"""Checks what the steps of a workflow do: their settings, and what their templates speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit
from uuid import UUID

from kernel.execution.content import ParameterDefinition
from server.domain.parameter import WrongValueError, check_value
from server.domain.permission import Role
from server.domain.violation import Violations
from server.domain.workflow import setting
from server.domain.workflow.definition import (
    ApprovalWork,
    ConditionWork,
    DelayWork,
    Header,
    Json,
    NotifyWork,
    RunbookWork,
    WebhookWork,
    Work,
)
from server.domain.workflow.draft import (
    ApprovalDraft,
    ConditionDraft,
    DelayDraft,
    NotifyDraft,
    RunbookDraft,
    WebhookDraft,
    WorkDraft,
)
from server.domain.workflow.known import Known, KnownRunbook, names_secret
from server.domain.workflow.language import LONGEST_TEMPLATE, is_template
from server.domain.workflow.scope import Scope, check_condition, check_json, check_text


def check_work(
    violations: Violations, path: str, draft: WorkDraft, known: Known, scope: Scope, *, run_seconds: int
) -> Work:
    """Answers the work with defaults filled in, having noted what is wrong with it; `path` is that of its node."""
    match draft:
        case RunbookDraft():
            return check_runbook(violations, f"{path}.runbook", draft, known, scope)
        case ConditionDraft(expression):
            check_condition(violations, f"{path}.condition.expression", expression, scope)
            return ConditionWork(expression)
        case NotifyDraft():
            return _check_notify(violations, f"{path}.notify", draft, known, scope)
        case WebhookDraft():
            return _check_webhook(violations, f"{path}.webhook", draft, known, scope)
        case DelayDraft(seconds):
            violations.number(f"{path}.delay.seconds", seconds, least=1, greatest=setting.LONGEST_SECONDS)
            if run_seconds < seconds <= setting.LONGEST_SECONDS:
                violations.add(f"{path}.delay.seconds", "must not be longer than the whole run may take")
            return DelayWork(seconds)
        case ApprovalDraft():
            return _check_approval(violations, f"{path}.approval", draft, scope)


def check_runbook(violations: Violations, path: str, draft: RunbookDraft, known: Known, scope: Scope) -> RunbookWork:
    runbook_id = violations.uuid(f"{path}.runbook_id", draft.runbook_id)
    runbook = known.runbooks.get(runbook_id)
    if runbook_id.int and (runbook is None or not runbook.runnable):
        violations.add(f"{path}.runbook_id", "must be an approved runbook of this team")
    if len(draft.parameters) > setting.MOST_PARAMETERS:
        violations.add(f"{path}.parameters", f"must be at most {setting.MOST_PARAMETERS}")
    else:
        _check_parameters(violations, f"{path}.parameters", draft.parameters, runbook, scope)
    return RunbookWork(runbook_id, whole_numbers(draft.parameters), draft.detached)


def check_role(violations: Violations, path: str, name: str) -> Role:
    """Wants who may say yes or no; nobody named: RESPONDER."""
    role = Role[name] if name in Role.__members__ else Role.RESPONDER
    if role is Role.OBSERVER or (name and name not in Role.__members__):
        violations.add(path, "must be RESPONDER or TEAM_ADMIN")
    return role


def whole_numbers(values: Mapping[str, Json]) -> dict[str, Json]:
    """Answers the values with whole numbers for those that only look like fractions: a Struct knows nothing else."""
    return {key: _whole(value) for key, value in values.items()}


def _whole(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return whole_numbers(value)
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value


def _check_parameters(
    violations: Violations, path: str, given: Mapping[str, Json], runbook: KnownRunbook | None, scope: Scope
) -> None:
    """Checks literal values as an Execute would; of a runbook that is not known, templates alone."""
    definitions = {definition.name: definition for definition in runbook.parameters} if runbook else {}
    for name, value in given.items():
        where = f"{path}.{name[:100]}"
        if isinstance(value, str) and is_template(value):
            check_text(violations, where, value, scope, longest=LONGEST_TEMPLATE)
        if runbook and name not in definitions:
            violations.add(where, "is not a parameter of this version")
        elif runbook and not (isinstance(value, str) and is_template(value)):
            _check_literal(violations, where, definitions[name], value)
    for name, definition in definitions.items():
        if definition.required and definition.default is None and name not in given:
            violations.add(f"{path}.{name}", "is required")


def _check_literal(violations: Violations, where: str, definition: ParameterDefinition, value: Json) -> None:
    if definition.sensitive:
        violations.add(where, "is sensitive: everybody who reads the workflow would see it")
        return
    try:
        check_value(definition, value)
    except WrongValueError as wrong:
        violations.add(where, str(wrong))


def _check_notify(violations: Violations, path: str, draft: NotifyDraft, known: Known, scope: Scope) -> NotifyWork:
    channel_ids = _check_channels(violations, f"{path}.channel_ids", draft.channel_ids, known)
    if not draft.subject.strip():
        violations.add(f"{path}.subject", "must not be empty")
    elif not is_template(draft.subject):
        violations.text(f"{path}.subject", draft.subject, longest=setting.LONGEST_SUBJECT)
    check_text(violations, f"{path}.subject", draft.subject, scope, longest=LONGEST_TEMPLATE)
    if len(draft.subject.splitlines()) > 1:
        violations.add(f"{path}.subject", "must not have line breaks")
    check_text(violations, f"{path}.body", draft.body, scope, longest=LONGEST_TEMPLATE)
    return NotifyWork(channel_ids, draft.subject, draft.body)


def _check_channels(violations: Violations, path: str, sent: Sequence[str], known: Known) -> tuple[UUID, ...]:
    if len(sent) > setting.MOST_CHANNELS:
        violations.add(path, f"must be at most {setting.MOST_CHANNELS}")
        return ()
    violations.unique(path, sent)
    found = tuple(violations.uuid(f"{path}[{index}]", text) for index, text in enumerate(sent))
    for index, channel_id in enumerate(found):
        if channel_id.int and channel_id not in known.channel_ids:
            violations.add(f"{path}[{index}]", "must be a channel of this team")
    return found


def _check_webhook(violations: Violations, path: str, draft: WebhookDraft, known: Known, scope: Scope) -> WebhookWork:
    if not is_template(draft.url) and (problem := setting.why_no_address(draft.url)):
        violations.add(f"{path}.url", problem)
    elif is_template(draft.url) and not _has_fixed_host(draft.url):
        violations.add(f"{path}.url", "must name its host outright; a template may fill in what follows")
    elif names_secret(draft) and not setting.is_encrypted(draft.url):
        violations.add(f"{path}.url", "must begin with https://: a secret goes along, or signs it")
    check_text(violations, f"{path}.url", draft.url, scope, longest=LONGEST_TEMPLATE)
    method = draft.method or setting.METHODS[0]
    if method not in setting.METHODS:
        violations.add(f"{path}.method", "must be one of " + ", ".join(setting.METHODS))
    check_json(violations, f"{path}.body", draft.body, scope, longest=LONGEST_TEMPLATE)
    _check_headers(violations, f"{path}.headers", draft.headers, known)
    if draft.signing_secret_name:
        _check_secret(violations, f"{path}.signing_secret_name", draft.signing_secret_name, known)
    body = None if draft.body is None else whole_numbers(draft.body)
    return WebhookWork(draft.url, method, body, tuple(draft.headers), draft.signing_secret_name)


def _has_fixed_host(url: str) -> bool:
    """Whether what stands before the first template has a whole host in it, so that no value decides who is called.

    With the headers go secrets, and an incident's title is written by whoever reports it.
    """
    fixed = min(url.find(mark) for mark in ("{{", "{%", "{#") if mark in url)
    parts = url[:fixed].split("/", 3)
    return len(parts) == 4 and setting.why_no_address(url[:fixed]) is None and bool(urlsplit(url[:fixed]).hostname)


def _check_headers(violations: Violations, path: str, headers: Sequence[Header], known: Known) -> None:
    if len(headers) > setting.MOST_HEADERS:
        violations.add(path, f"must be at most {setting.MOST_HEADERS}")
        return
    violations.unique(path, [header.name.lower() for header in headers])
    for index, header in enumerate(headers):
        where = f"{path}[{index}]"
        if problem := setting.why_no_header(header.name, secret=bool(header.secret_name)):
            violations.add(f"{where}.name", problem)
        for field, text in (("value", header.value), ("prefix", header.prefix)):
            violations.text(f"{where}.{field}", text, longest=setting.LONGEST_HEADER)
            if text and not (text.isascii() and text.isprintable()):
                violations.add(f"{where}.{field}", "must be printable ASCII")
        if header.secret_name:
            _check_secret(violations, f"{where}.secret_name", header.secret_name, known)
            if header.value:
                violations.add(f"{where}.value", "must be empty where a secret is named")
        elif header.prefix:
            violations.add(f"{where}.prefix", "stands before a secret, and none is named")


def _check_secret(violations: Violations, path: str, name: str, known: Known) -> None:
    if name not in known.secret_names:
        violations.add(path, "must be a secret of this team")


def _check_approval(violations: Violations, path: str, draft: ApprovalDraft, scope: Scope) -> ApprovalWork:
    role = check_role(violations, f"{path}.role", draft.role)
    if not is_template(draft.question):
        violations.text(f"{path}.question", draft.question, longest=setting.LONGEST_QUESTION)
    check_text(violations, f"{path}.question", draft.question, scope, longest=LONGEST_TEMPLATE)
    violations.number(f"{path}.expires_seconds", draft.expires_seconds, least=0, greatest=setting.LONGEST_SECONDS)
    return ApprovalWork(role, draft.question, draft.expires_seconds)
