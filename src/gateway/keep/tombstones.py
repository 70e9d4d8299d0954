"""What was revoked: partners, tokens and pages' own tokens, while something that is kept could say otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway import refusal
from gateway.keep.admission import Admission
from gateway.keep.lru import Lru
from gateway.refusal import Refusal

MOST = 100_000

_NEVER = datetime.min.replace(tzinfo=UTC)


class Tombstones:
    """Tombstones are raised over, never taken away while they matter.

    Past the limit the oldest goes, and with it the belief in every admission that was asked for until it was raised
    (`believed_after`): bounded memory costs questions, never a revoked partner's reading on.
    """

    def __init__(self, limit: int = MOST) -> None:
        self._ended: Lru[str, datetime] = Lru(limit)
        self._page_tokens: Lru[str, tuple[int, datetime]] = Lru(limit)
        self.believed_after = _NEVER

    def end(self, identity: str, at: datetime) -> None:
        """Ends a partner or a token by its id, or what a client presents by its hash, for good."""
        if not identity:
            return  # nobody's: it would end whoever has none
        for _, raised in self._ended.put(identity, at):
            self.believed_after = max(self.believed_after, raised)

    def end_page_token(self, page_id: str, version: int, at: datetime) -> None:
        """Ends what a page's token let in at a smaller version than `version`."""
        known = self._page_tokens.get(page_id)
        for _, (_, raised) in self._page_tokens.put(page_id, (max(version, known[0] if known else 0), at)):
            self.believed_after = max(self.believed_after, raised)

    def forget_until(self, at: datetime) -> None:
        self.believed_after = max(self.believed_after, at)

    def refusal_of(self, admission: Admission) -> Refusal | None:
        """Answers why the admission counts no more, unset where it does."""
        ended = self._ended.get
        if ended(admission.partner_id) or ended(admission.token_id):
            return refusal.forbidden("PARTNER_REVOKED")
        if ended(admission.credential_name):
            return refusal.unknown_token()  # a session that somebody signed out of
        page_token = self._page_tokens.get(admission.page_id) if admission.by_page_token else None
        return refusal.unknown_token() if page_token and admission.page_version < page_token[0] else None

    def believes(self, admission: Admission) -> bool:
        return admission.asked_at > self.believed_after and self.refusal_of(admission) is None
