"""What is refused when a workflow is saved, and at which path."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from kernel.errors import InvalidArgument
from kernel.execution.content import ParameterDefinition, ParameterType
from server.domain.permission import Role
from server.domain.violation import Violations
from server.domain.workflow.check import Known, KnownRunbook, check_definition, named_in, speaks_of_incident
from server.domain.workflow.definition import ApprovalWork, Definition, Edge, Header, Join, On, RunbookWork, WebhookWork
from server.domain.workflow.draft import (
    ApprovalDraft,
    BrakeDraft,
    CompensationDraft,
    ConditionDraft,
    DelayDraft,
    EdgeDraft,
    NodeDraft,
    NotifyDraft,
    RunbookDraft,
    WebhookDraft,
    WorkflowDraft,
)
from tests.unit.server.domain.workflow.building import RUNBOOK_ID

CHANNEL = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
RETIRED = UUID("01890a5d-ac96-774b-bcce-b302099a8059")
DEFINITIONS = (
    ParameterDefinition("host", ParameterType.STRING, required=True, pattern="[a-z0-9-]+"),
    ParameterDefinition("count", ParameterType.INTEGER, default=1, max=10),
    ParameterDefinition("key", ParameterType.STRING, sensitive=True),
)
KNOWN = Known(
    {RUNBOOK_ID: KnownRunbook(True, DEFINITIONS), RETIRED: KnownRunbook(False)}, {CHANNEL}, {"TOKEN", "SIGNING"}
)
RUNBOOK = RunbookDraft(str(RUNBOOK_ID), {"host": "db-1"})
CHECK = NodeDraft("check", RUNBOOK)
IS_BAD = NodeDraft("is_bad", ConditionDraft("nodes.check.output.bad"))
TELL = NodeDraft("tell", NotifyDraft([str(CHANNEL)], "{{ incident.title }}", "{{ nodes.check.stdout }}"))
DRAFT = WorkflowDraft(
    "Restart",
    "INCIDENT_CREATED",
    [TELL, IS_BAD, CHECK],
    [EdgeDraft("check", "is_bad"), EdgeDraft("is_bad", "tell", "TRUE")],
)


def check(draft: WorkflowDraft) -> Definition:
    violations = Violations()
    definition = check_definition(violations, draft, KNOWN)
    violations.raise_if_any()
    assert definition is not None
    return definition


def problems(draft: WorkflowDraft) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as refusal:
        check(draft)
    return {violation.field: violation.description for violation in refusal.value.violations}


def with_work(work: Any) -> WorkflowDraft:
    return replace(DRAFT, nodes=[CHECK, NodeDraft("last", work)], edges=[EdgeDraft("check", "last")])


def problems_of(work: Any) -> dict[str, str]:
    found = problems(with_work(work))
    assert all(path.startswith("workflow.nodes[1].") for path in found)
    return {path.removeprefix("workflow.nodes[1]."): why for path, why in found.items()}


def test_a_good_one_has_its_defaults_filled_in() -> None:
    definition = check(
        replace(DRAFT, compensation=CompensationDraft(RUNBOOK), brake=BrakeDraft("incident.severity == 'SEV1'"))
    )
    assert definition.timeout_seconds == 3600
    assert definition.edges == (Edge("check", "is_bad", On.SUCCESS), Edge("is_bad", "tell", On.TRUE))
    assert definition.node("check").join is Join.ANY
    assert definition.compensation is not None
    assert (definition.compensation.role, definition.compensation.expires_seconds) == (Role.RESPONDER, 3600)
    approval = check(with_work(ApprovalDraft())).node("last").work
    assert approval == ApprovalWork(Role.RESPONDER)
    hook = check(with_work(WebhookDraft("https://example.org/{{ incident.id }}"))).node("last").work
    assert isinstance(hook, WebhookWork)
    assert hook.method == "POST"


def test_numbers_of_a_struct_are_whole_where_they_look_so() -> None:
    work = check(with_work(RunbookDraft(str(RUNBOOK_ID), {"host": "a", "count": 5.0}))).node("last").work
    assert isinstance(work, RunbookWork)
    assert repr(work.parameters["count"]) == "5"


def test_all_that_is_wrong_is_answered_at_once() -> None:
    draft = WorkflowDraft(
        " ",
        "",
        [NodeDraft("Check", None), NodeDraft("b", DelayDraft(0), timeout_seconds=-1, join="SOME")],
        [EdgeDraft("b", "c", "NEVER")],
        timeout_seconds=604_801,
    )
    assert set(problems(draft)) == {
        "workflow.name",
        "workflow.trigger.event",
        "workflow.timeout_seconds",
        "workflow.nodes[0].name",
        "workflow.nodes[0].work",
        "workflow.nodes[1].delay.seconds",
        "workflow.nodes[1].timeout_seconds",
        "workflow.nodes[1].join",
        "workflow.edges[0].to_node",
        "workflow.edges[0].on",
    }


@pytest.mark.parametrize(
    ("edges", "path", "problem"),
    [
        (["check>check"], "workflow.edges", "must not make a circle: check → check"),
        (["check>is_bad", "is_bad>check"], "workflow.edges", "must not make a circle"),
        (["check>is_bad", "check>is_bad"], "workflow.edges", "must not have the same edge twice"),
        (["check>is_bad TRUE"], "workflow.edges[0].on", "TRUE leaves conditions alone"),
        (["check>nobody"], "workflow.edges[0].to_node", "must be the name of a step"),
    ],
)
def test_edges_make_a_graph_without_a_circle(edges: list[str], path: str, problem: str) -> None:
    drafts = []
    for text in edges:
        ends, _, on = text.partition(" ")
        drafts.append(EdgeDraft(*ends.split(">"), on))
    nodes = [CHECK, replace(IS_BAD, work=ConditionDraft("true"))]
    assert problem in problems(replace(DRAFT, nodes=nodes, edges=drafts))[path]


def test_a_join_of_edges_that_exclude_one_another_can_never_be() -> None:
    edges = [EdgeDraft("check", "is_bad"), EdgeDraft("is_bad", "tell", "TRUE"), EdgeDraft("is_bad", "tell", "FALSE")]
    nodes = [CHECK, IS_BAD, replace(TELL, join="ALL")]
    assert set(problems(replace(DRAFT, nodes=nodes, edges=edges))) == {"workflow.nodes[2].join"}
    check(replace(DRAFT, nodes=[CHECK, IS_BAD, TELL], edges=edges))


def test_names_are_unique_and_few() -> None:
    assert "workflow.nodes" in problems(replace(DRAFT, nodes=[CHECK, CHECK], edges=[]))
    assert problems(replace(DRAFT, nodes=[], edges=[])) == {"workflow.nodes": "must be 1 to 100"}
    many = [NodeDraft(f"n{index}", DelayDraft(1)) for index in range(101)]
    assert problems(replace(DRAFT, nodes=many, edges=[])) == {"workflow.nodes": "must be 1 to 100"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ incident.severty }}", "there is no `incident.severty`; there are id, title"),
        ("{{ incident.title.x }}", "there is no `incident.title.x`; there is nothing in it"),
        ("{{ foo }}", "there is no `foo` here; there are incident, service, team, trigger, nodes"),
        ("{{ nodes.check.exitcode }}", "there is no `nodes.check.exitcode`; there are status, problem, exit_code"),
        ("{{ nodes.nobody.status }}", "there is no step `nobody`"),
        ("{{ nodes.last.status }}", "the step `last` cannot have run before this"),
        ("{{ nodes|tojson }}", "`nodes` alone says nothing"),
        ("{{ nodes[incident.title].status }}", "`nodes` alone says nothing"),
        ("{{ 1 +", "it cannot be read"),
        ("{{ trigger.incident.foo }}", "there is no `trigger.incident.foo`"),
    ],
)
def test_a_template_speaks_of_what_there_is(text: str, problem: str) -> None:
    assert problem in problems_of(NotifyDraft([], "hello", text))["notify.body"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ nodes.check.output.anything.at.all }}",
        "{{ incident.labels.anything }}",
        "{{ nodes.check.execution_id }} {{ nodes.check.status }} {{ team.name }} {{ service.id }} {{ trigger.by }}",
        "{{ trigger.incident.severity }}",
        "{% for a in nodes.check.output.b %}{{ a.c }}{% endfor %}",
    ],
)
def test_and_of_what_may_be(text: str) -> None:
    check(with_work(NotifyDraft([], "hello", text)))


def test_a_trigger_and_a_brake_know_no_steps() -> None:
    draft = replace(DRAFT, condition="nodes.check.status", brake=BrakeDraft("nodes.check.status", -1))
    assert set(problems(draft)) == {
        "workflow.trigger.condition",
        "workflow.brake.condition",
        "workflow.brake.failed_runs",
    }
    assert set(problems(replace(DRAFT, event="MANUAL", condition="true"))) == {"workflow.trigger.condition"}


def test_a_compensation_may_speak_of_every_step() -> None:
    undo = CompensationDraft(RunbookDraft(str(RUNBOOK_ID), {"host": "{{ nodes.tell.status }}"}), "OBSERVER", -1)
    path = "workflow.compensation"
    assert set(problems(replace(DRAFT, compensation=undo))) == {f"{path}.role", f"{path}.expires_seconds"}
    assert set(problems(replace(DRAFT, compensation=CompensationDraft(None)))) == {f"{path}.runbook"}


@pytest.mark.parametrize(
    ("work", "paths"),
    [
        (RunbookDraft("x"), {"runbook.runbook_id"}),
        (RunbookDraft(str(UUID(int=5)), {}), {"runbook.runbook_id"}),
        (RunbookDraft(str(RETIRED)), {"runbook.runbook_id"}),
        (RunbookDraft(str(RUNBOOK_ID), {}), {"runbook.parameters.host"}),
        (RunbookDraft(str(RUNBOOK_ID), {"host": "NO!"}), {"runbook.parameters.host"}),
        (RunbookDraft(str(RUNBOOK_ID), {"host": "{{ x }}"}), {"runbook.parameters.host"}),
        (RunbookDraft(str(RUNBOOK_ID), {"host": "a", "count": 11}), {"runbook.parameters.count"}),
        (RunbookDraft(str(RUNBOOK_ID), {"host": "a", "x": 1}), {"runbook.parameters.x"}),
        (RunbookDraft(str(RUNBOOK_ID), {"host": "a", "key": "geheim"}), {"runbook.parameters.key"}),
        (ConditionDraft(""), {"condition.expression"}),
        (ConditionDraft("x == 1"), {"condition.expression"}),
        (NotifyDraft(["x"], ""), {"notify.channel_ids[0]", "notify.subject"}),
        (NotifyDraft([str(RETIRED)], "a\nb"), {"notify.channel_ids[0]", "notify.subject"}),
        (NotifyDraft([], "a" * 201), {"notify.subject"}),
        (WebhookDraft("ftp://example.org"), {"webhook.url"}),
        (WebhookDraft("https://user:secret@example.org/"), {"webhook.url"}),
        (WebhookDraft("https://{{ incident.title }}/"), {"webhook.url"}),
        (WebhookDraft("https://example.org{{ incident.title }}"), {"webhook.url"}),
        (WebhookDraft("https://example.org/{{ x }}", "GET"), {"webhook.url", "webhook.method"}),
        (WebhookDraft("https://example.org/", body={"a": [{"b": "{{ x }}"}]}), {"webhook.body.a[0].b"}),
        (WebhookDraft("https://example.org/", body={"a": float("nan")}), {"webhook.body.a"}),
        (WebhookDraft("https://example.org/", signing_secret_name="NO"), {"webhook.signing_secret_name"}),
        (WebhookDraft("https://example.org/", headers=[Header("Cookie", "x")]), {"webhook.headers[0].name"}),
        (WebhookDraft("https://example.org/", headers=[Header("Host", "a")]), {"webhook.headers[0].name"}),
        (WebhookDraft("https://example.org/", headers=[Header("X-A", "a\r\nb")]), {"webhook.headers[0].value"}),
        (WebhookDraft("https://example.org/", headers=[Header("X-A", "", "NO")]), {"webhook.headers[0].secret_name"}),
        (WebhookDraft("https://example.org/", headers=[Header("X-A", "a", "TOKEN")]), {"webhook.headers[0].value"}),
        (WebhookDraft("https://example.org/", headers=[Header("X-A"), Header("x-a")]), {"webhook.headers"}),
        (WebhookDraft("http://example.org/", headers=[Header("X-A", "", "TOKEN")]), {"webhook.url"}),
        (WebhookDraft("http://example.org/{{ team.id }}", headers=[Header("X-A", "", "TOKEN")]), {"webhook.url"}),
        (WebhookDraft("http://example.org/", signing_secret_name="TOKEN"), {"webhook.url"}),
        (DelayDraft(3601), {"delay.seconds"}),
        (ApprovalDraft("OBSERVER"), {"approval.role"}),
        (ApprovalDraft("KING", "{{ x }}", -1), {"approval.role", "approval.question", "approval.expires_seconds"}),
    ],
)  # fmt: skip
def test_a_step_has_settings_of_its_kind(work: Any, paths: set[str]) -> None:
    assert set(problems_of(work)) == paths


def test_only_a_webhook_that_names_a_secret_has_to_be_encrypted() -> None:
    for fine in (
        WebhookDraft("http://example.org/", headers=[Header("X-A", "a")]),
        WebhookDraft("HTTPS://example.org/", signing_secret_name="TOKEN"),
    ):
        assert check(with_work(fine))


def test_a_detached_runbook_has_no_output_to_speak_of() -> None:
    detached = replace(CHECK, work=replace(RUNBOOK, detached=True))
    nodes = [detached, NodeDraft("last", NotifyDraft([], "{{ nodes.check.execution_id }}", "{{ nodes.check.stdout }}"))]
    found = problems(replace(DRAFT, nodes=nodes, edges=[EdgeDraft("check", "last")]))
    assert set(found) == {"workflow.nodes[1].notify.body"}


def test_a_definition_is_not_larger_than_every_run_can_keep() -> None:
    nodes = [NodeDraft(f"n{index}", NotifyDraft([], "a", "b" * 9_000)) for index in range(40)]
    assert set(problems(replace(DRAFT, nodes=nodes, edges=[]))) == {"workflow"}


def test_it_tells_what_to_look_up() -> None:
    hook = NodeDraft("hook", WebhookDraft("", headers=[Header("a", "", "TOKEN")], signing_secret_name="SIGNING"))
    named = named_in(
        replace(DRAFT, nodes=[CHECK, TELL, hook], compensation=CompensationDraft(RunbookDraft(str(RETIRED))))
    )
    assert named.runbook_ids == {RUNBOOK_ID, RETIRED}
    assert named.channel_ids == {CHANNEL}
    assert named.secret_names == {"TOKEN", "SIGNING"}


def test_it_knows_whether_a_run_by_hand_needs_an_incident() -> None:
    assert speaks_of_incident(check(DRAFT))
    without = with_work(NotifyDraft([], "hello {{ team.name }}"))
    assert not speaks_of_incident(check(replace(without, condition="incident.severity == 'SEV1'")))
    assert speaks_of_incident(check(replace(without, brake=BrakeDraft("incident.severity == 'SEV1'"))))
    assert speaks_of_incident(check(with_work(ApprovalDraft(question="{{ trigger.incident.title }}?"))))
