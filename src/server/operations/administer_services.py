"""Services that teams run."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from kernel.database import constraint_of
from kernel.errors import AlreadyExists
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.team import LONGEST_DESCRIPTION, Service, check_name
from server.domain.violation import Violations, require_uuid
from server.operations.administer_teams import load_team
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.storage import services


@dataclass(frozen=True, slots=True)
class ServiceDraft:
    """A service as sent."""

    team_id: str
    name: str
    description: str


async def create_service(env: Environment, call: Call, draft: ServiceDraft, key: RequestKey) -> Service:
    violations = Violations()
    team_id = violations.uuid("service.team_id", draft.team_id)
    check_name(violations, "service.name", draft.name)
    violations.text("service.description", draft.description, longest=LONGEST_DESCRIPTION)
    key.check(violations)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        await load_team(tx.session, call, team_id)
        if first := await first_result(tx.session, call, key):
            existing = await services.find(tx.session, UUID(first["service_id"]))
            if existing is None:
                raise not_found("service")
            return existing
        service = Service(env.new_id(), team_id, draft.name, draft.description, env.now())
        try:
            await services.add(tx.session, service)
        except IntegrityError as error:
            if constraint_of(error) != "uq_services_team_id_name":
                raise
            raise AlreadyExists("the team has a service of that name", reason="SERVICE_NAME_TAKEN") from None
        await remember(tx.session, call, key, {"service_id": str(service.id)})
        await tx.audit("service.created", service.id, team_id=team_id, name=service.name)
    return service


async def list_services(env: Environment, call: Call, team_id: str, request: PageRequest) -> Page[Service]:
    wanted = require_uuid("team_id", team_id)
    cursor = env.pager.open(call.method, {"team_id": team_id}, request)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        await load_team(session, call, wanted)
        found = await services.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda service: service.id)
