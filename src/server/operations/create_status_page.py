"""Creates status pages."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.status_page import StatusPage, StatusPageContent
from server.domain.violation import Violations
from server.operations.change import change
from server.operations.change_status_page import checked_visibility, refusing_taken_slugs
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_status_page import load_status_page
from server.operations.tell_page_change import tell_page_change
from server.storage import status_pages, teams


@dataclass(frozen=True, slots=True)
class StatusPageDraft:
    """A page as sent: nothing checked."""

    team_id: str
    slug: str
    name: str
    visibility: str
    time_zone: str
    logo_url: str
    accent_color: str
    support_url: str


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
        with refusing_taken_slugs():
            await status_pages.add(tx.session, page)
        await remember(tx.session, call, key, {"status_page_id": str(page.id)})
        await tx.audit("status_page.created", page.id, team_id=team_id, slug=content.slug, name=content.name)
        await tell_page_change(tx, page.id)
    return page


def _check(draft: StatusPageDraft, key: RequestKey) -> tuple[UUID, StatusPageContent]:
    violations = Violations()
    team_id = violations.uuid("status_page.team_id", draft.team_id)
    content = StatusPageContent(
        draft.slug,
        draft.name,
        checked_visibility(violations, draft.visibility),
        draft.time_zone or "UTC",
        draft.logo_url,
        draft.accent_color,
        draft.support_url,
    )
    content.check(violations)
    key.check(violations)
    violations.raise_if_any()
    return team_id, content
