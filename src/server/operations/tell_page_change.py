"""Says, with the transaction that changes a page or its partners, that what was read of the page is out of date.

Every operation that changes what any audience sees, or who may see it, calls `tell_page_change` once, last in its
transaction. Where it takes something away from somebody, it asks for confirmation, and after the commit waits for it
(`Confirmations`) before it answers: from then on no gateway answers by what was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from kernel.ids import new_id
from server.operations.change import Change
from server.storage import page_changes, page_watches

MOST_NAMED = 50
"""Of partners, tokens and sessions in one change, so that the word fits into a notification."""


@dataclass(frozen=True, slots=True)
class PageChange:
    """What a gateway has to know of a change; see StatusPageChange in the contract."""

    id: UUID
    status_page_id: UUID
    slugs: tuple[str, ...]
    page_version: int
    revoked_partner_ids: tuple[UUID, ...] = ()
    ended_token_ids: tuple[UUID, ...] = ()
    page_token_ended: bool = False
    deleted: bool = False
    confirm: bool = False
    ended_session_hashes: tuple[str, ...] = ()


class Confirmations(Protocol):
    """Waits for gateways."""

    async def wait(self, change_id: UUID) -> None:
        """Returns once every gateway goes by a committed change, or may no longer answer from what it keeps."""


async def tell_page_change(
    tx: Change,
    page_id: UUID,
    *,
    former_slug: str = "",
    revoked_partner_ids: Sequence[UUID] = (),
    ended_token_ids: Sequence[UUID] = (),
    page_token_ended: bool = False,
    deleted: bool = False,
    confirm: bool = False,
    ended_session_hashes: Sequence[str] = (),
) -> UUID:
    """Answers the id of the change, to be waited for after the commit where `confirm` was asked for.

    A page that is deleted is told of before its row is.
    """
    found = await page_changes.next_version(tx.session, page_id)
    if found is None:
        raise LookupError(f"status page {page_id} vanished under its change")
    version, slug = found
    change = PageChange(
        new_id(),
        page_id,
        tuple(dict.fromkeys(name for name in (slug, former_slug) if name)),
        version,
        tuple(revoked_partner_ids[:MOST_NAMED]),
        tuple(ended_token_ids[:MOST_NAMED]),
        page_token_ended,
        deleted,
        confirm,
        tuple(ended_session_hashes[:MOST_NAMED]),
    )
    if confirm:
        await page_watches.oblige(tx.session, change.id, _word(change))
    await page_changes.notify(tx.session, _word(change))
    return change.id


def read_word(word: dict[str, object]) -> PageChange:
    """Reads what `tell_page_change` told; KeyError, TypeError or ValueError where it is no such word."""
    return PageChange(
        UUID(str(word["id"])),
        UUID(str(word["page"])),
        tuple(str(slug) for slug in _list(word["slugs"])),
        int(str(word["version"])),
        tuple(UUID(str(partner)) for partner in _list(word["partners"])),
        tuple(UUID(str(token)) for token in _list(word["tokens"])),
        bool(word["page_token"]),
        bool(word["deleted"]),
        bool(word["confirm"]),
        tuple(str(session) for session in _list(word["sessions"])),
    )


def _word(change: PageChange) -> dict[str, object]:
    return {
        "id": str(change.id),
        "page": str(change.status_page_id),
        "slugs": change.slugs,
        "version": change.page_version,
        "partners": [str(partner) for partner in change.revoked_partner_ids],
        "tokens": [str(token) for token in change.ended_token_ids],
        "page_token": change.page_token_ended,
        "deleted": change.deleted,
        "confirm": change.confirm,
        "sessions": change.ended_session_hashes,
    }


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("must be a list")
    return value
