"""Creates status pages."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import constraint_of
from kernel.errors import AlreadyExists
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.status_page import StatusPage, StatusPageContent, Visibility
from server.domain.violation import Violations
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_status_page import load_status_page
from server.storage import status_pages, teams


@dataclass(frozen=True, slots=True)
class StatusPageDraft:
    """A page as sent: nothing checked."""

    team_id: str
    slug: str
    name: str
    visibility: str
    time_zone: str


async def create_status_page(env: Environment, call: Call, draft: StatusPageDraft, key: RequestKey) -> StatusPage:
    """Creates a page without components."""
    team_id, content = _check(draft, key)
    async with change(env.sessions, call) as tx:
        call.require(team_id, "team")
        if first := await first_result(tx.session, call, key):
            return await load_status_page(tx.session, call, UUID(first["status_page_id"]))
        if await teams.find(tx.session, team_id) is None:
            raise not_found("team")
        now = env.now()
        page = StatusPage(
            id=env.new_id(),
            team_id=team_id,
            content=content,
            token_hash=None,
            revision=1,
            created_by=call.caller.user_id,
            created_at=now,
            updated_at=now,
        )
        await _add(tx.session, page)
        await remember(tx.session, call, key, {"status_page_id": str(page.id)})
        await tx.audit("status_page.created", page.id, team_id=team_id, slug=content.slug, name=content.name)
    return page


def _check(draft: StatusPageDraft, key: RequestKey) -> tuple[UUID, StatusPageContent]:
    violations = Violations()
    team_id = violations.uuid("status_page.team_id", draft.team_id)
    if draft.visibility not in Visibility.__members__:
        violations.add("status_page.visibility", "must be one of " + ", ".join(Visibility.__members__))
    content = StatusPageContent(
        draft.slug,
        draft.name,
        Visibility.__members__.get(draft.visibility, Visibility.PRIVATE),
        draft.time_zone or "UTC",
    )
    content.check(violations)
    key.check(violations)
    violations.raise_if_any()
    return team_id, content


async def _add(session: AsyncSession, page: StatusPage) -> None:
    try:
        await status_pages.add(session, page)
    except IntegrityError as error:
        if constraint_of(error) != "uq_status_pages_slug":
            raise
        raise AlreadyExists("there is a status page of that slug", reason="SLUG_TAKEN") from None
