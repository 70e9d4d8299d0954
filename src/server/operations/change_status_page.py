"""Changes and deletes status pages, and gives them tokens of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError

from kernel.database import constraint_of
from kernel.errors import AlreadyExists
from server.domain.page_token import issue
from server.domain.partner_token import PartnerTokens
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.status_page import StatusPage, StatusPageContent, Visibility
from server.domain.violation import Violations, require_uuid
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_status_page import load_status_page
from server.operations.settle_page import lock_page
from server.operations.tell_page_change import Confirmations, tell_page_change
from server.storage import partners, status_pages

UPDATABLE = ("slug", "name", "visibility", "time_zone", "logo_url", "accent_color", "support_url")


@dataclass(frozen=True, slots=True)
class StatusPageUpdate:
    """An update as sent: the values of all fields that can change, by name, and which of them count."""

    status_page_id: str
    values: dict[str, str]
    etag: str
    paths: Sequence[str]


async def update_status_page(
    env: Environment, call: Call, confirmations: Confirmations, update: StatusPageUpdate
) -> StatusPage:
    """Changes a page; answers once every gateway goes by it.

    Where all is as wanted already, nothing is written, but gateways are told and waited for: perhaps nobody was when
    it was done.
    """
    violations = Violations()
    wanted = violations.uuid("status_page.id", update.status_page_id)
    paths = set(update.paths)
    if not paths or paths - set(UPDATABLE):
        violations.add("update_mask", f"must name at least one of {', '.join(UPDATABLE)}, and nothing else")
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        await load_status_page(tx.session, call, wanted)
        now = env.now()
        page = await lock_page(tx, wanted, now)
        page.require_etag(update.etag)
        content = _changed(page.content, {name: update.values[name] for name in sorted(paths)})
        former = page.content.slug
        if content != page.content:
            page = replace(page, content=content, revision=page.revision + 1, updated_at=now)
            with refusing_taken_slugs():
                await status_pages.save(tx.session, page)
            await tx.audit(
                "status_page.updated", page.id, team_id=page.team_id, slug=content.slug, fields=",".join(sorted(paths))
            )
        change_id = await tell_page_change(tx, page.id, former_slug=former, confirm=True)
    await confirmations.wait(change_id)
    return page


async def delete_status_page(
    env: Environment, call: Call, confirmations: Confirmations, status_page_id: str, *, etag: str
) -> None:
    """Deletes a page with everything on it; answers once no gateway shows it any more."""
    wanted = require_uuid("status_page_id", status_page_id)
    async with change(env.sessions, call) as tx:
        await load_status_page(tx.session, call, wanted)
        # Partners first: whoever changes one holds that and then waits for the page.
        await partners.lock_all(tx.session, wanted)
        page = await status_pages.lock_to_delete(tx.session, wanted)
        if page is None:
            raise not_found("status page")
        page.require_etag(etag)
        change_id = await tell_page_change(tx, page.id, deleted=True, page_token_ended=True, confirm=True)
        await status_pages.remove(tx.session, page.id)
        await tx.audit("status_page.deleted", page.id, team_id=page.team_id, slug=page.content.slug)
    await confirmations.wait(change_id)


async def rotate_page_token(
    env: Environment,
    call: Call,
    confirmations: Confirmations,
    tokens: PartnerTokens,
    status_page_id: str,
    key: RequestKey,
    *,
    remove: bool,
) -> tuple[StatusPage, str]:
    """Gives a page a new token, or takes the one it has away; answers it this once, when the old one has ended.

    That leaves `updated_at` as it is: who reads the page must not learn from it that others get new tokens.
    """
    violations = Violations()
    wanted = violations.uuid("status_page_id", status_page_id)
    key.check(violations)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        await load_status_page(tx.session, call, wanted)
        page = await lock_page(tx, wanted, env.now())
        token, taken_away = "", True
        if not await first_result(tx.session, call, key):
            taken_away = page.token_hash is not None
            if taken_away or not remove:
                token = "" if remove else issue(tokens.random)
                page = replace(page, token_hash=tokens.hash(token) if token else None, revision=page.revision + 1)
                await status_pages.save(tx.session, page)
                action = "status_page.token_removed" if remove else "status_page.token_rotated"
                await tx.audit(action, page.id, team_id=page.team_id, slug=page.content.slug)
            await remember(tx.session, call, key, {"status_page_id": str(page.id)})
        # Told and waited for by a repeat, too: perhaps nobody was, when it was done.
        change_id = await tell_page_change(tx, page.id, page_token_ended=taken_away or remove, confirm=True)
    await confirmations.wait(change_id)
    return page, token


@contextmanager
def refusing_taken_slugs() -> Iterator[None]:
    """Turns the database's refusal of a slug that is taken into ours; the transaction is over then."""
    try:
        yield
    except IntegrityError as error:
        if constraint_of(error) != "uq_status_pages_slug":
            raise
        raise AlreadyExists("there is a status page of that slug", reason="SLUG_TAKEN") from None


def _changed(content: StatusPageContent, values: dict[str, str]) -> StatusPageContent:
    violations = Violations()
    changes: dict[str, object] = dict(values)
    if "visibility" in values:
        changes["visibility"] = checked_visibility(violations, values["visibility"])
    if "time_zone" in values:
        changes["time_zone"] = values["time_zone"] or "UTC"
    changed = replace(content, **changes)  # type: ignore[arg-type]
    changed.check(violations)
    violations.raise_if_any()
    return changed


def checked_visibility(violations: Violations, name: str) -> Visibility:
    if name not in Visibility.__members__:
        violations.add("status_page.visibility", "must be one of " + ", ".join(Visibility.__members__))
    return Visibility.__members__.get(name, Visibility.PRIVATE)
