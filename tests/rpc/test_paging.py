"""Pages go on where the one before ended, whatever is inserted meanwhile, for one team, several teams and all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from kernel.database import transaction
from kernel.tables import executions
from oncall.v1 import notification_pb2, runbook_pb2
from oncall.v1 import runbook_service_pb2 as pb
from oncall.v1.notification_service_pb2 import ListDeliveriesRequest
from oncall.v1.notification_service_pb2_grpc import NotificationServiceStub
from server.domain.permission import Role
from server.storage import teams
from tests.builders import Person, TeamWithPeople, a_draft_runbook, a_person, a_team, an_approved_runbook
from tests.receivers import a_channel, a_delivery
from tests.rpc.conftest import RunningServer

Write = Callable[[int], Any]


async def _pages(call: Any, request: Any, field: str, between: Write, by: Person) -> list[str]:
    """Reads a list to its end in small pages, and does something between two of them."""
    seen: list[str] = []
    request.page_size = 7
    number = 0
    while True:
        page = await call(request, metadata=by.metadata)
        seen += [item.id for item in getattr(page, field)]
        if not page.next_page_token:
            return seen
        request.page_token = page.next_page_token
        await between(number := number + 1)


@pytest.fixture
async def other(running_server: RunningServer, team: TeamWithPeople) -> TeamWithPeople:
    """Another team, of which the observer of the first one is a member, too."""
    other = await a_team(running_server.sessions)
    async with transaction(running_server.sessions) as tx:
        await teams.set_member(tx.session, other.id, team.observer.id, Role.OBSERVER)
    return other


async def test_pages_of_runbooks_neither_repeat_nor_leave_out_while_others_are_created(
    running_server: RunningServer, team: TeamWithPeople, other: TeamWithPeople
) -> None:
    sessions, stub = running_server.sessions, running_server.runbooks
    await a_draft_runbook(sessions, await a_team(sessions))
    created = [str((await a_draft_runbook(sessions, (team, other)[n % 3 == 0])).id) for n in range(40)]
    mine = [runbook for n, runbook in enumerate(created) if n % 3]

    async def another(number: int) -> None:
        for wanted in (team, other):
            await a_draft_runbook(sessions, wanted)

    for fields, expected in (
        ({"team_id": str(team.id)}, mine),
        ({"team_id": str(team.id), "query": "RUNBOOK-"}, mine),
        ({"team_id": str(team.id), "status": runbook_pb2.RUNBOOK_STATUS_DRAFT}, mine),
        ({}, created),
        ({"query": "runbook"}, created),
    ):
        seen = await _pages(stub.ListRunbooks, pb.ListRunbooksRequest(**fields), "runbooks", another, team.observer)
        assert [runbook for runbook in seen if runbook in created] == list(reversed(expected)), fields
        assert len(set(seen)) == len(seen)
    admin = await a_person(sessions, platform_admin=True)
    seen = await _pages(stub.ListRunbooks, pb.ListRunbooksRequest(), "runbooks", another, admin)
    assert [runbook for runbook in seen if runbook in created] == list(reversed(created))


async def test_pages_of_executions_neither_repeat_nor_leave_out_while_others_run(
    running_server: RunningServer, team: TeamWithPeople, other: TeamWithPeople
) -> None:
    """Some of those that come meanwhile have ids from a clock that is behind, and so fall into pages to come."""
    sessions, stub = running_server.sessions, running_server.runbooks
    runbooks = [await an_approved_runbook(sessions, wanted) for wanted in (team, other)]

    async def execute(which: int) -> str:
        by = (team, other)[which].responder
        call = stub.Execute(pb.ExecuteRequest(runbook_id=str(runbooks[which].id)), metadata=by.metadata)
        event = (await call.read()).event
        call.cancel()
        return str(event.execution.id)

    created = [await execute(n % 2) for n in range(30)]
    late_ids = itertools.count(1)

    async def more(number: int) -> None:
        await execute(number % 2)
        kept = [c for c in executions.c if c.name not in {"id", "arrival"}]
        async with transaction(sessions) as tx:
            late = select(func.uuid_send(executions.c.id), *kept).where(executions.c.id == created[0])
            row = (await tx.session.execute(late)).mappings().one()
            identifier = row["uuid_send"][:8] + next(late_ids).to_bytes(8, "big")
            values = {c.name: row[c.name] for c in kept}
            await tx.session.execute(insert(executions).values(id=identifier.hex(), **values))

    for fields, expected in (
        ({"team_id": str(team.id)}, created[::2]),
        ({"runbook_id": str(runbooks[1].id)}, created[1::2]),
        ({}, created),
    ):
        seen = await _pages(stub.ListExecutions, pb.ListExecutionsRequest(**fields), "executions", more, team.observer)
        assert [execution for execution in seen if execution in created] == list(reversed(expected)), fields
        assert len(set(seen)) == len(seen)


async def test_pages_of_deliveries_neither_repeat_nor_leave_out_while_others_are_made(
    running_server: RunningServer, team: TeamWithPeople, other: TeamWithPeople
) -> None:
    sessions, stub = running_server.sessions, NotificationServiceStub(running_server.channel)
    channels = [await a_channel(sessions, wanted, "https://example.org/") for wanted in (team, other)]
    created = [str(await a_delivery(sessions, (team, other)[n % 2], channels[n % 2])) for n in range(40)]

    async def another(number: int) -> None:
        await a_delivery(sessions, (team, other)[number % 2], channels[number % 2])

    for fields, expected in (
        ({"team_id": str(team.id)}, created[::2]),
        ({"channel_id": str(channels[1].id)}, created[1::2]),
        ({"team_id": str(other.id), "status": notification_pb2.DELIVERY_STATUS_PENDING}, created[1::2]),
        ({}, created),
    ):
        request = ListDeliveriesRequest(**fields)
        seen = await _pages(stub.ListDeliveries, request, "deliveries", another, team.observer)
        assert [delivery for delivery in seen if delivery in created] == list(reversed(expected)), fields
        assert len(set(seen)) == len(seen)
