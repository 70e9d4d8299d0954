"""Changes partners, gives them new tokens, and revokes them; answers once every gateway goes by it.

A call that is repeated, because its answer was lost or told of no confirmation, tells the gateways again and waits
again: what it did before stands, and so its answer is as good as the first would have been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from kernel.database import constraint_of
from kernel.errors import AlreadyExists, FailedPrecondition
from server.domain.etag import require_etag
from server.domain.partner import Partner, PartnerContent, PartnerToken, checked_allowlist
from server.domain.partner_token import PartnerTokens
from server.domain.permission import Call
from server.domain.request_key import RequestKey
from server.domain.violation import Violations, require_uuid
from server.operations.change import Change, change
from server.operations.create_partner import PartnerDraft, require_components
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_status_page import load_partner, load_status_page
from server.operations.tell_page_change import Confirmations, tell_page_change
from server.storage import partners

UPDATABLE = ("name", "contact_email", "ip_allowlist", "component_ids", "expires_at", "requests_per_minute")
LONGEST_GRACE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PartnerUpdate:
    """An update as sent: the partner with new values, and which of them count."""

    partner_id: str
    draft: PartnerDraft
    etag: str
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Rotation:
    """What came of a rotation: the old token with its last use and its end, the new one only the first time."""

    partner: Partner
    token: str = field(repr=False)
    old: PartnerToken | None


async def revoke_partner(env: Environment, confirmations: Confirmations, call: Call, partner_id: str) -> Partner:
    """Ends a partner's access for good; doing so twice changes nothing."""
    wanted = require_uuid("partner_id", partner_id)
    async with change(env.sessions, call) as tx:
        partner = await load_partner(tx.session, call, wanted, lock=True)
        if partner.revoked_at is None:
            page = await load_status_page(tx.session, call, partner.status_page_id)
            now = env.now()
            partner = partner.changed(now, revoked_at=now)
            await partners.save_revocation(tx.session, partner, call.caller.user_id)
            await tx.audit("partner.revoked", partner.id, team_id=page.team_id, name=partner.content.name)
        told = await tell_page_change(tx, partner.status_page_id, revoked_partner_ids=[partner.id], confirm=True)
    await confirmations.wait(told)
    return partner


async def update_partner(env: Environment, confirmations: Confirmations, call: Call, update: PartnerUpdate) -> Partner:
    """Changes what the mask names; where all is as wanted already, nothing is written."""
    violations = Violations()
    wanted = violations.uuid("partner.id", update.partner_id)
    changes = _checked_changes(violations, update, env.now())
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        partner = await load_partner(tx.session, call, wanted, lock=True)
        require_etag("partner", partner.etag, update.etag)
        _require_not_revoked(partner)
        page = await load_status_page(tx.session, call, partner.status_page_id)
        await require_components(tx.session, page.id, changes.get("component_ids", ()))
        content = replace(partner.content, **changes)
        if content != partner.content:
            partner = partner.changed(env.now(), content=content)
            await _save(tx, partner)
            fields = ",".join(sorted(changes))
            await tx.audit("partner.updated", partner.id, team_id=page.team_id, name=content.name, fields=fields)
        told = await tell_page_change(tx, page.id, confirm=True)
        (partner,) = await partners.with_tokens(tx.session, [partner], env.now())
    await confirmations.wait(told)
    return partner


async def rotate_token(
    env: Environment,
    confirmations: Confirmations,
    tokens: PartnerTokens,
    call: Call,
    partner_id: str,
    grace: timedelta,
    key: RequestKey,
) -> Rotation:
    """Gives a partner a new token; the newest of the old ones lives on for the grace period, any other ends."""
    wanted = _check_rotation(partner_id, grace, key)
    async with change(env.sessions, call) as tx:
        partner = await load_partner(tx.session, call, wanted, lock=True)
        if first := await first_result(tx.session, call, key):
            ended = [UUID(token_id) for token_id in first["ended"]]
            rotation = Rotation(partner, "", _old_from(first["old"]))
        else:
            rotation, ended = await _rotate(env, tx, call, tokens, partner, grace)
            first_time = {"ended": [str(token_id) for token_id in ended], "old": _old_to(rotation.old)}
            await remember(tx.session, call, key, first_time)
        told = await _tell_rotation(tx, partner.status_page_id, rotation.old, ended)
        (partner,) = await partners.with_tokens(tx.session, [rotation.partner], env.now())
    await confirmations.wait(told)
    return replace(rotation, partner=partner)


async def _tell_rotation(tx: Change, page_id: UUID, old: PartnerToken | None, ended: Sequence[UUID]) -> UUID:
    """Names the tokens that have ended, unless one lives on: gateways must ask anew to hear when that one ends."""
    lives_on = old is not None and old.id not in ended
    return await tell_page_change(tx, page_id, ended_token_ids=() if lives_on else ended, confirm=True)


async def _rotate(
    env: Environment, tx: Change, call: Call, tokens: PartnerTokens, partner: Partner, grace: timedelta
) -> tuple[Rotation, list[UUID]]:
    _require_not_revoked(partner)
    page = await load_status_page(tx.session, call, partner.status_page_id)
    now = env.now()
    ended: list[UUID] = []
    old = None
    for index, token in enumerate(await partners.tokens_of(tx.session, partner.id, now)):
        at = min(now + grace, token.expires_at or now + grace) if index == 0 else now
        await partners.end_token(tx.session, token.id, at=at, now=now)
        ended += [token.id] if at <= now else []
        old = replace(token, expires_at=at) if index == 0 else old
    new = tokens.issue()
    await partners.add_token(tx.session, env.new_id(), partner.id, new, now)
    partner = partner.changed(now, token_prefix=new.prefix)
    await partners.save(tx.session, partner)
    await tx.audit(
        "partner.token_rotated",
        partner.id,
        team_id=page.team_id,
        name=partner.content.name,
        token_prefix=new.prefix,
        old_token_prefix=old.prefix if old else None,
        old_token_ends_at=old.expires_at.isoformat() if old and old.expires_at else None,
    )
    return Rotation(partner, new.token, old), ended


def _check_rotation(partner_id: str, grace: timedelta, key: RequestKey) -> UUID:
    violations = Violations()
    wanted = violations.uuid("partner_id", partner_id)
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        violations.add("grace_period", f"must be 0 to {LONGEST_GRACE.days} days")
    key.check(violations)
    violations.raise_if_any()
    return wanted


def _checked_changes(violations: Violations, update: PartnerUpdate, now: datetime) -> dict[str, Any]:
    """Answers the new values of the fields that the mask names; fields that it does not name are not even looked at."""
    paths, draft = set(update.paths), update.draft
    if not paths or paths - set(UPDATABLE):
        violations.add("update_mask", f"must name at least one of {', '.join(UPDATABLE)}, and nothing else")
    changes: dict[str, Any] = {
        name: getattr(draft, name)
        for name in ("name", "contact_email", "requests_per_minute", "expires_at")
        if name in paths
    }
    if "ip_allowlist" in paths:
        changes["ip_allowlist"] = checked_allowlist(draft.ip_allowlist, violations)
    if "component_ids" in paths:
        changes["component_ids"] = tuple(
            violations.uuid(f"partner.component_ids[{index}]", component)
            for index, component in enumerate(draft.component_ids)
        )
    PartnerContent(**{"name": "as it is", **changes}).check(violations, now)
    return changes


def _require_not_revoked(partner: Partner) -> None:
    if partner.revoked_at is not None:
        raise FailedPrecondition("this partner was revoked, and that is for good", reason="PARTNER_REVOKED")


async def _save(tx: Change, partner: Partner) -> None:
    try:
        await partners.save(tx.session, partner)
    except IntegrityError as error:
        if constraint_of(error) != "uq_partners_status_page_id_name":
            raise
        raise AlreadyExists("the page has a partner of that name", reason="PARTNER_NAME_TAKEN") from None


def _old_to(token: PartnerToken | None) -> dict[str, str | None] | None:
    if token is None:
        return None
    times = {name: getattr(token, name) for name in ("created_at", "expires_at", "last_used_at")}
    written = {name: time.isoformat() if time else None for name, time in times.items()}
    return {"id": str(token.id), "prefix": token.prefix, **written}


def _old_from(kept: Mapping[str, str] | None) -> PartnerToken | None:
    if kept is None:
        return None
    times = {
        name: datetime.fromisoformat(kept[name]) if kept[name] else None for name in ("expires_at", "last_used_at")
    }
    return PartnerToken(UUID(kept["id"]), kept["prefix"], datetime.fromisoformat(kept["created_at"]), **times)
