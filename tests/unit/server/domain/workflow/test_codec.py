"""A definition comes back from JSON as it went in."""

from __future__ import annotations

import json
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.permission import Role
from server.domain.workflow.codec import definition_from_json, definition_to_json
from server.domain.workflow.definition import (
    ApprovalWork,
    Brake,
    Compensation,
    ConditionWork,
    Definition,
    DelayWork,
    Edge,
    Event,
    Header,
    Join,
    Node,
    NotifyWork,
    On,
    RunbookWork,
    Trigger,
    WebhookWork,
)
from tests.unit.server.domain.workflow.building import RUNBOOK_ID

TEXT = st.text(max_size=10)
SECONDS = st.integers(0, 604_800)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
ROLES = st.sampled_from([Role.RESPONDER, Role.TEAM_ADMIN])
RUNBOOKS = st.builds(RunbookWork, st.uuids(), OBJECT, st.booleans())
HEADERS = st.lists(st.builds(Header, TEXT, TEXT, TEXT, TEXT), max_size=2).map(tuple)
WORKS = st.one_of(
    RUNBOOKS,
    st.builds(ConditionWork, TEXT),
    st.builds(NotifyWork, st.lists(st.uuids(), max_size=2).map(tuple), TEXT, TEXT),
    st.builds(WebhookWork, TEXT, TEXT, st.none() | OBJECT, HEADERS, TEXT),
    st.builds(DelayWork, SECONDS),
    st.builds(ApprovalWork, ROLES, TEXT, SECONDS),
)
DEFINITIONS = st.builds(
    Definition,
    TEXT,
    st.builds(Trigger, st.sampled_from(Event), TEXT),
    st.lists(st.builds(Node, TEXT, WORKS, SECONDS, st.sampled_from(Join)), max_size=4).map(tuple),
    st.lists(st.builds(Edge, TEXT, TEXT, st.sampled_from(On)), max_size=4).map(tuple),
    SECONDS,
    st.none() | st.builds(Brake, TEXT, st.integers(0, 100)),
    st.none() | st.builds(Compensation, RUNBOOKS, ROLES, SECONDS),
)


@settings(max_examples=200, deadline=None)
@given(DEFINITIONS)
def test_a_definition_comes_back_as_it_was(definition: Definition) -> None:
    kept = json.loads(json.dumps(definition_to_json(definition)))
    assert definition_from_json(kept) == definition
    assert definition_to_json(definition_from_json(kept)) == kept


def test_what_is_kept_already_can_be_read_for_ever() -> None:
    """Runs keep this form: whoever changes it has to go on reading it."""
    kept = {
        "name": "w",
        "trigger": {"event": "MANUAL", "condition": ""},
        "nodes": [
            {
                "name": "a",
                "timeout_seconds": 5,
                "join": "ALL",
                "runbook": {"runbook_id": str(RUNBOOK_ID), "parameters": {"a": 1}, "detached": True},
            },
            {
                "name": "b",
                "timeout_seconds": 0,
                "join": "ANY",
                "approval": {"role": "TEAM_ADMIN", "question": "?", "expires_seconds": 9},
            },
        ],
        "edges": [{"source": "a", "target": "b", "on": "ALWAYS"}],
        "timeout_seconds": 60,
        "brake": {"condition": "", "failed_runs": 3},
        "compensation": None,
    }
    assert definition_to_json(definition_from_json(kept)) == kept
    assert definition_from_json(kept).nodes[0].work == RunbookWork(UUID(str(RUNBOOK_ID)), {"a": 1}, detached=True)
