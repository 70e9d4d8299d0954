"""Answers a status page as an audience sees it, to the team that keeps it: no gate, and nobody's access."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.partner import Partner
from server.domain.permission import Call, not_found
from server.domain.shown_page import ShownPage
from server.domain.violation import Violations
from server.operations.compose_page import compose_page, snapshot
from server.operations.environment import Environment
from server.operations.read_status_page import load_status_page
from server.storage import partners


@dataclass(frozen=True, slots=True)
class Preview:
    """A page, and the partner as whom it is seen; None for everybody who may read it without being one."""

    shown: ShownPage
    partner: Partner | None


async def preview_status_page(env: Environment, call: Call, status_page_id: str, partner_id: str) -> Preview:
    """Answers the page as it was at one moment; `partner_id` is empty for everybody."""
    violations = Violations()
    wanted_page = violations.uuid("status_page_id", status_page_id)
    wanted_partner = violations.optional_uuid("partner_id", partner_id)
    violations.raise_if_any()
    async with snapshot(env.sessions) as session:
        page = await load_status_page(session, call, wanted_page)
        partner = await partners.find(session, wanted_partner) if wanted_partner else None
        if wanted_partner and (partner is None or partner.status_page_id != page.id):
            raise not_found("partner")
        scope = partner.content.component_ids if partner else ()
        return Preview(await compose_page(session, page, frozenset(scope), env.now()), partner)
