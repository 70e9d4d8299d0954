"""Team admins read the audit of their team, platform admins all of it and its chain, and nobody else anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text

from kernel.audit import AuditEntry, append
from kernel.database import transaction
from oncall.v1 import audit_event_pb2 as event_pb
from oncall.v1 import audit_service_pb2 as pb
from oncall.v1 import audit_service_pb2_grpc
from server.operations.seal_audit import seal_audit
from tests.builders import Person, TeamWithPeople, a_person, a_team
from tests.rpc.conftest import Refusal, RunningServer, refusal_of

DENIED, NOT_FOUND = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND
INVALID = grpc.StatusCode.INVALID_ARGUMENT


class Audit:
    """Two teams' events, and how they are asked for."""

    def __init__(self, server: RunningServer, team: TeamWithPeople, other: TeamWithPeople, admin: Person) -> None:
        self.server, self.team, self.other, self.admin = server, team, other, admin
        self._stub = audit_service_pb2_grpc.AuditServiceStub(server.channel)

    def ask(self, as_: Person, **fields: Any) -> Any:
        return self._stub.ListAuditEvents(pb.ListAuditEventsRequest(**fields), metadata=as_.metadata)

    async def names(self, as_: Person, **fields: Any) -> list[str]:
        return [event.resource_id for event in (await self.ask(as_, **fields)).audit_events]

    async def note(self, *entries: AuditEntry) -> None:
        for entry in entries:
            async with transaction(self.server.sessions) as tx:
                await append(tx.session, entry)


@pytest.fixture
async def audit(running_server: RunningServer, team: TeamWithPeople) -> Audit:
    sessions = running_server.sessions
    audit = Audit(running_server, team, await a_team(sessions), await a_person(sessions, platform_admin=True))
    await audit.note(
        AuditEntry("runbook.created", "a", team.id, team.author.id, {"version": 1}, "192.0.2.7", "deploy-7"),
        AuditEntry("runbook.approved", "a", team.id, team.reviewer.id),
        AuditEntry("runbook.denied", "b", team.id, team.observer.id, denied=True),
        AuditEntry("runbook.created", "theirs", audit.other.id, audit.other.author.id),
        AuditEntry("user.created", "nobody's", None, None),
    )
    return audit


async def test_a_team_admin_reads_their_team_newest_first(audit: Audit) -> None:
    team_id = str(audit.team.id)
    found = (await audit.ask(audit.team.author, team_id=team_id)).audit_events
    assert [event.resource_id for event in found] == ["b", "a", "a"]
    first = found[-1]
    assert (first.actor_id, first.team_id, first.action) == (str(audit.team.author.id), team_id, "runbook.created")
    assert (first.peer, first.request_id, first.outcome) == ("192.0.2.7", "deploy-7", event_pb.AUDIT_OUTCOME_DONE)
    assert dict(first.detail) == {"version": 1}
    assert not first.HasField("seal")
    assert abs(first.time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_platform_admin_reads_all_of_it(audit: Audit) -> None:
    assert await audit.names(audit.admin) == ["nobody's", "theirs", "b", "a", "a"]
    assert await audit.names(audit.admin, team_id=str(audit.other.id)) == ["theirs"]


async def test_filters_choose_and_pages_hold_together(audit: Audit) -> None:
    ask = audit.admin
    assert await audit.names(ask, action="runbook.created") == ["theirs", "a"]
    assert await audit.names(ask, resource_type="user") == ["nobody's"]
    assert await audit.names(ask, resource_id="a", actor_id=str(audit.team.reviewer.id)) == ["a"]
    assert await audit.names(ask, outcome=event_pb.AUDIT_OUTCOME_DENIED) == ["b"]
    now = Timestamp()
    now.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    assert await audit.names(ask, after=now) == []
    assert len(await audit.names(ask, before=now)) == 5

    first = await audit.ask(ask, page_size=2)
    await audit.note(AuditEntry("user.created", "new"))
    second = await audit.ask(ask, page_size=2, page_token=first.next_page_token)
    both = [event.resource_id for event in [*first.audit_events, *second.audit_events]]
    assert both == ["nobody's", "theirs", "b", "a"]
    other = await refusal_of(audit.ask(ask, page_token=first.next_page_token, action="x"))
    assert other == Refusal(INVALID, "PAGE_TOKEN_INVALID", ("page_token",))


async def test_who_may_not_read_it_hears_so_or_nothing(audit: Audit) -> None:
    team = audit.team
    for person in (team.observer, team.responder):
        refusal = await refusal_of(audit.ask(person, team_id=str(team.id)))
        assert refusal == Refusal(DENIED, "ROLE_MISSING")
    for person in (team.author, team.observer):
        assert await refusal_of(audit.ask(person)) == Refusal(DENIED, "ROLE_MISSING")
        assert await refusal_of(audit.ask(person, chain_after=0)) == Refusal(DENIED, "ROLE_MISSING")
    theirs = await refusal_of(audit.ask(audit.other.author, team_id=str(team.id)))
    nobodys = await refusal_of(audit.ask(audit.other.author, team_id=str(uuid4())))
    assert theirs.code is NOT_FOUND
    assert (theirs, theirs.message, theirs.metadata) == (nobodys, nobodys.message, nobodys.metadata)


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"team_id": "7"}, "team_id"),
        ({"actor_id": "7"}, "actor_id"),
        ({"action": "x" * 101}, "action"),
        ({"resource_type": "\0"}, "resource_type"),
        ({"outcome": 9}, "outcome"),
        ({"page_size": -1}, "page_size"),
        ({"chain_after": -1}, "chain_after"),
        ({"chain_after": 0, "action": "x"}, "action"),
        ({"after": Timestamp(seconds=10**15)}, "after"),
    ],
)
async def test_a_bad_question_is_refused_with_the_field_named(audit: Audit, fields: dict[str, Any], bad: str) -> None:
    assert (await refusal_of(audit.ask(audit.admin, **fields))).fields == (bad,)


async def test_the_chain_is_read_in_its_order_with_what_waits(audit: Audit) -> None:
    await seal_audit(audit.server.sessions)
    await audit.note(AuditEntry("user.created", "waits"))
    first = await audit.ask(audit.admin, chain_after=0, page_size=3)
    assert [event.seal.position for event in first.audit_events] == [1, 2, 3]
    assert (first.audit_events[0].seal.previous_hash, first.chain_length) == (bytes(32), 5)
    last = await audit.ask(audit.admin, chain_after=0, page_size=3, page_token=first.next_page_token)
    assert [event.seal.position for event in last.audit_events] == [4, 5]
    assert (last.chain_length, last.unsealed, last.next_page_token) == (5, 1, "")
    assert [e.seal.position for e in (await audit.ask(audit.admin, chain_after=4)).audit_events] == [5]
    listed = (await audit.ask(audit.admin)).audit_events
    assert [event.seal.position for event in listed] == [0, 5, 4, 3, 2, 1]


async def test_a_row_that_somebody_broke_does_not_hide_the_others(audit: Audit) -> None:
    await seal_audit(audit.server.sessions)
    async with transaction(audit.server.sessions) as tx:
        await tx.session.execute(text("SET LOCAL session_replication_role = replica"))
        await tx.session.execute(text("DELETE FROM audit_events WHERE resource_id = 'theirs'"))
        await tx.session.execute(text("UPDATE audit_events SET detail = '[1e999]' WHERE resource_id = 'b'"))
    chain = (await audit.ask(audit.admin, chain_after=0)).audit_events
    assert [event.seal.position for event in chain] == [1, 2, 3, 4, 5]
    assert [event.HasField("time") for event in chain] == [True, True, True, False, True]
    assert dict(chain[2].detail) == {"unreadable": True}
