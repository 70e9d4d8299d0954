"""How much may stand on one page, and that a page with all of it still reaches the gateway."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
from sqlalchemy import Table, insert, select

from gateway.server_client import connect
from kernel.database import Sessions, transaction
from kernel.ids import new_id
from kernel.incident_tables import incident_updates, incidents
from kernel.status_page_tables import components
from oncall.v1 import incident_pb2, partner_service_pb2
from oncall.v1.partner_service_pb2_grpc import PartnerServiceStub
from server.domain.component import MOST_COMPONENTS
from server.domain.incident import MOST_OPEN
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.status_pages import PUBLIC, StatusPageDesk

FULL = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "PAGE_FULL")
TOO_MANY = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "TOO_MANY_OPEN_INCIDENTS")
RESOLVED = incident_pb2.INCIDENT_STATUS_RESOLVED
INVESTIGATING = incident_pb2.INCIDENT_STATUS_INVESTIGATING
DEFAULT_OF_GRPC = 4 * 1024 * 1024


async def _copies(sessions: Sessions, table: Table, row_id: str, count: int, **changes: Any) -> list[UUID]:
    """Puts so many rows like one beside it; answers their ids."""
    ids = [new_id() for _ in range(count)]
    async with transaction(sessions) as tx:
        row = (await tx.session.execute(select(table).where(table.c.id == UUID(row_id)))).mappings().one()
        await tx.session.execute(insert(table), [{**row, **changes, "id": each} for each in ids])
    return ids


async def test_a_page_has_so_many_components_and_groups_and_no_more(desk: StatusPageDesk) -> None:
    page, other = await desk.a_page(), await desk.a_page()
    first = await desk.a_component(page, "first")
    await _copies(desk.sessions, components, first.id, MOST_COMPONENTS - 2)
    await desk.a_component(page, "last")

    assert await refusal_of(desk.a_component(page, "one more")) == FULL
    assert await refusal_of(desk.a_component(page, "one more", group=True)) == FULL
    await desk.a_component(other, "first")


async def test_so_many_incidents_of_a_page_are_open_and_no_more(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    over = await desk.resolves(await desk.an_incident(page))
    first = await desk.an_incident(page)
    await _copies(desk.sessions, incidents, first.id, MOST_OPEN - 2)
    last = await desk.an_incident(page)

    assert await refusal_of(desk.an_incident(page)) == TOO_MANY
    assert await refusal_of(desk.says(over, status=INVESTIGATING)) == TOO_MANY
    await desk.says(over, "What we learnt.")
    await desk.says(first, "One that is open may be told of.", status=INVESTIGATING)
    await desk.an_incident(page, status=RESOLVED)
    await desk.an_incident(page, status_page_id="")
    await desk.resolves(last)
    await desk.says(over, status=INVESTIGATING)


async def test_a_page_of_more_than_grpc_takes_by_itself_reaches_the_gateway(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page = await desk.a_page(PUBLIC)
    first = await desk.an_incident(page, title="x" * 100)
    long = await desk.says(first, "long " * 1_000)
    copies = await _copies(desk.sessions, incidents, first.id, MOST_OPEN - 1)
    for each in copies:
        await _copies(desk.sessions, incident_updates, long.updates[0].id, 5, incident_id=each)
    request = partner_service_pb2.GetStatusPageRequest(slug=page.slug, client_ip="192.0.2.7")
    async with connect(running_server.address) as channel:
        stub = PartnerServiceStub(channel)  # type: ignore[no-untyped-call]
        answer = await stub.GetStatusPage(request, metadata=desk.gateway.metadata)

    assert len(answer.incidents) == MOST_OPEN
    assert answer.ByteSize() > DEFAULT_OF_GRPC
