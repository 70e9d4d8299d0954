"""Creates partners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import constraint_of
from kernel.errors import AlreadyExists
from server.domain.partner import Partner, PartnerContent, checked_allowlist
from server.domain.partner_token import PartnerTokens
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.violation import Violations
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_status_page import load_partner, load_status_page
from server.storage import components, partners


@dataclass(frozen=True, slots=True)
class PartnerDraft:
    """A partner as sent: nothing checked."""

    status_page_id: str
    name: str
    contact_email: str
    ip_allowlist: Sequence[str]
    component_ids: Sequence[str]
    requests_per_minute: int
    expires_at: datetime | None


async def create_partner(
    env: Environment, tokens: PartnerTokens, call: Call, draft: PartnerDraft, key: RequestKey
) -> tuple[Partner, str]:
    """Creates a partner and answers their token with them; a repeat answers no token, because none is stored."""
    status_page_id, content = _check(draft, key, env.now())
    async with change(env.sessions, call) as tx:
        page = await load_status_page(tx.session, call, status_page_id)
        if first := await first_result(tx.session, call, key):
            existing = await load_partner(tx.session, call, UUID(first["partner_id"]))
            return (await partners.with_tokens(tx.session, [existing], env.now()))[0], ""
        await require_components(tx.session, page.id, content.component_ids)
        now = env.now()
        token = tokens.issue()
        partner = Partner(
            id=env.new_id(),
            status_page_id=page.id,
            content=content,
            token_prefix=token.prefix,
            revoked_at=None,
            last_access_at=None,
            access_count=0,
            revision=1,
            created_by=call.caller.user_id,
            created_at=now,
            updated_at=now,
        )
        await _add(tx.session, partner)
        await partners.add_token(tx.session, env.new_id(), partner.id, token, now)
        await remember(tx.session, call, key, {"partner_id": str(partner.id)})
        await tx.audit(
            "partner.created",
            partner.id,
            team_id=page.team_id,
            status_page_id=str(page.id),
            name=content.name,
            token_prefix=token.prefix,
        )
        (partner,) = await partners.with_tokens(tx.session, [partner], now)
    return partner, token.token


def _check(draft: PartnerDraft, key: RequestKey, now: datetime) -> tuple[UUID, PartnerContent]:
    violations = Violations()
    status_page_id = violations.uuid("partner.status_page_id", draft.status_page_id)
    content = PartnerContent(
        name=draft.name,
        contact_email=draft.contact_email,
        ip_allowlist=checked_allowlist(draft.ip_allowlist, violations),
        component_ids=tuple(
            violations.uuid(f"partner.component_ids[{index}]", component)
            for index, component in enumerate(draft.component_ids)
        ),
        requests_per_minute=draft.requests_per_minute,
        expires_at=draft.expires_at,
    )
    content.check(violations, now)
    key.check(violations)
    violations.raise_if_any()
    return status_page_id, content


async def require_components(session: AsyncSession, status_page_id: UUID, component_ids: Sequence[UUID]) -> None:
    """Wants components of the page: a scope that names others would show nothing, and nobody would know why."""
    if not component_ids:
        return
    known = {component.id for component in await components.of_page(session, status_page_id)}
    violations = Violations()
    for index, component_id in enumerate(component_ids):
        if component_id not in known:
            violations.add(f"partner.component_ids[{index}]", "must be a component of the page")
    violations.raise_if_any()


async def _add(session: AsyncSession, partner: Partner) -> None:
    try:
        await partners.add(session, partner)
    except IntegrityError as error:
        match constraint_of(error):
            case "uq_partners_status_page_id_name":
                raise AlreadyExists("the page has a partner of that name", reason="PARTNER_NAME_TAKEN") from None
            case "fk_partners_status_page_id":  # deleted since it was read
                raise not_found("status page") from None
        raise
