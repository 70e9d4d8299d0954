"""Status pages and partners for tests, made over a real channel as a team admin would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import grpc
from sqlalchemy import update

from kernel.database import Sessions, transaction
from kernel.status_page_tables import partners
from oncall.v1 import (
    partner_service_pb2,
    partner_service_pb2_grpc,
    status_page_pb2,
    status_page_service_pb2,
    status_page_service_pb2_grpc,
)
from oncall.v1.partner_pb2 import Partner
from tests.builders import Person, TeamWithPeople

PUBLIC = status_page_pb2.STATUS_PAGE_VISIBILITY_PUBLIC
PRIVATE = status_page_pb2.STATUS_PAGE_VISIBILITY_PRIVATE

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class KnownPartner:
    """A partner and the token they read with."""

    id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StatusPageDesk:
    """What a team admin does about status pages, and what the gateway asks."""

    channel: grpc.aio.Channel
    sessions: Sessions
    team: TeamWithPeople
    gateway: Person

    @property
    def pages(self) -> status_page_service_pb2_grpc.StatusPageServiceAsyncStub:
        return status_page_service_pb2_grpc.StatusPageServiceStub(self.channel)

    @property
    def partners(self) -> partner_service_pb2_grpc.PartnerServiceAsyncStub:
        return partner_service_pb2_grpc.PartnerServiceStub(self.channel)

    async def a_page(
        self, visibility: status_page_pb2.StatusPageVisibility = PRIVATE, **fields: Any
    ) -> status_page_pb2.StatusPage:
        page = {"team_id": str(self.team.id), "slug": f"page-{next(_numbers)}", "name": "Acme", **fields}
        request = status_page_service_pb2.CreateStatusPageRequest(status_page={**page, "visibility": visibility})  # type: ignore[arg-type]
        return (await self.pages.CreateStatusPage(request, metadata=self.team.author.metadata)).status_page

    async def a_component(
        self, page: status_page_pb2.StatusPage, name: str, **fields: Any
    ) -> status_page_pb2.Component:
        component = status_page_pb2.Component(status_page_id=page.id, name=name, **fields)
        request = status_page_service_pb2.CreateComponentRequest(component=component)
        return (await self.pages.CreateComponent(request, metadata=self.team.author.metadata)).component

    async def a_partner(self, page: status_page_pb2.StatusPage, **fields: Any) -> KnownPartner:
        partner = Partner(**{"status_page_id": page.id, "name": f"Partner {next(_numbers)}", **fields})
        request = partner_service_pb2.CreatePartnerRequest(partner=partner)
        answer = await self.partners.CreatePartner(request, metadata=self.team.author.metadata)
        return KnownPartner(answer.partner.id, answer.token)

    async def revoke(self, partner: KnownPartner) -> Partner:
        request = partner_service_pb2.RevokePartnerRequest(partner_id=partner.id)
        return (await self.partners.RevokePartner(request, metadata=self.team.author.metadata)).partner

    async def expire(self, partner: KnownPartner) -> None:
        """Lets a partner's access have ended, without waiting for it."""
        ended = datetime.now(UTC) - timedelta(seconds=1)
        async with transaction(self.sessions) as tx:
            await tx.session.execute(update(partners).where(partners.c.id == UUID(partner.id)).values(expires_at=ended))

    async def read(self, slug: str, token: str | None = None, **fields: Any) -> Any:
        """Asks as the gateway would for a client at 192.0.2.7."""
        asked = {"slug": slug, "client_ip": "192.0.2.7", "user_agent": "test/1.0", **fields}
        request = partner_service_pb2.GetStatusPageRequest(**asked)
        if token is not None:
            request.partner_token = token
        return await self.partners.GetStatusPage(request, metadata=self.gateway.metadata)


def a_maintenance_request(
    page_id: str, *component_ids: str, begins: timedelta = timedelta(hours=1), lasts: timedelta = timedelta(hours=1)
) -> status_page_service_pb2.ScheduleMaintenanceRequest:
    """A maintenance of these components that begins so much from now."""
    request = status_page_service_pb2.ScheduleMaintenanceRequest(message="We upgrade the database.")
    maintenance, at = request.maintenance, datetime.now(UTC) + begins
    maintenance.status_page_id, maintenance.title = page_id, "Database upgrade"
    maintenance.component_ids.extend(component_ids)
    maintenance.scheduled_for.FromDatetime(at)
    maintenance.scheduled_until.FromDatetime(at + lasts)
    return request


def names(components: Sequence[Any]) -> list[str]:
    return [component.name for component in components]
