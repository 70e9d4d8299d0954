"""Sessions of browsers: `ocs_` and what they were made from, under a keyed hash; nothing of them is kept.

A session names the partner's token, or the page and a piece of the hash of the page's token. So it ends with what it
was made from, wherever it is shown, and there is no second list of what was revoked; only of who signed out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from uuid import UUID

MARK = "ocs_"
KEY_PURPOSE = b"oncall page sessions v1"
LASTS = timedelta(hours=12)
LONGEST_SESSION = 500

_FRAGMENT_BYTES = 16
_BODY_BYTES = 1 + 16 + 8 + _FRAGMENT_BYTES
_MAC_BYTES = 32


class SessionKind(IntEnum):
    """What a session was made from."""

    PARTNER = 1
    PAGE = 2


@dataclass(frozen=True, slots=True)
class PageSession:
    """What a session says: the id is that of the partner's token, or that of the page.

    `fragment` is a piece of the hash of the page's token, or the second in which a partner's session was made: else all
    sessions of a token that ends soon were the same one, and whoever signed out could not sign in again.
    """

    kind: SessionKind
    id: UUID
    expires_at: datetime
    fragment: bytes = field(default=bytes(_FRAGMENT_BYTES), repr=False)

    def is_of(self, page_token_hash: bytes | None) -> bool:
        """Whether the page's token is still the one that the session was made from."""
        return page_token_hash is not None and hmac.compare_digest(self.fragment, page_token_hash[:_FRAGMENT_BYTES])


class PageSessions:
    """Makes sessions and reads those that are presented, under a key that serves nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of_partner(self, token_id: UUID, made_at: datetime, ends_at: datetime) -> PageSession:
        second = int(made_at.timestamp()).to_bytes(_FRAGMENT_BYTES, "big")
        return PageSession(SessionKind.PARTNER, token_id, _whole(ends_at), second)

    def of_page(self, page_id: UUID, token_hash: bytes, ends_at: datetime) -> PageSession:
        return PageSession(SessionKind.PAGE, page_id, _whole(ends_at), token_hash[:_FRAGMENT_BYTES])

    def write(self, session: PageSession) -> str:
        ends = int(session.expires_at.timestamp()).to_bytes(8, "big")
        body = bytes([session.kind]) + session.id.bytes + ends + session.fragment
        return MARK + base64.urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()

    def read(self, token: str) -> PageSession | None:
        """Answers what a session says, ended or not; None where the platform did not make it."""
        signed = _decode(token)
        body, mac = signed[:_BODY_BYTES], signed[_BODY_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)) or len(body) != _BODY_BYTES:
            return None
        ends = datetime.fromtimestamp(int.from_bytes(body[17:25], "big"), UTC)
        return PageSession(SessionKind(body[0]), UUID(bytes=body[1:17]), ends, body[25:])

    def hash(self, token: str) -> bytes:
        """Answers what a session is known by once it was ended; one that `read` knows has one spelling, so one hash."""
        return hmac.digest(self._key, b"ended " + token.encode(errors="replace"), hashlib.sha256)

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _decode(token: str) -> bytes:
    """Answers the bytes of a session; of no use, and so refused by the check that follows, where it is none."""
    encoded = token.removeprefix(MARK)
    if not token.startswith(MARK) or len(token) > LONGEST_SESSION or not token.isascii():
        return b""
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
    # One session has one spelling: bits that base64 ignores must not make a second.
    return decoded if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == encoded else b""
