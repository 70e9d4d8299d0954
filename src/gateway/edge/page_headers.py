"""The headers of a page, alike with a body and with a 304: who may keep it, how fresh it is, what is left to ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.edge.credentials import Source
from gateway.encoded_headers import encoded
from gateway.shown import RateLimitLeft, Shown
from oncall.v1.status_page_pb2 import STATUS_PAGE_VISIBILITY_PUBLIC

PUBLIC_SECONDS = 10
CREDENTIALS = "Authorization, Cookie"
STALE_SINCE = "Oncall-Stale-Since"

_RATE_LIMIT = (
    b"ratelimit-limit: %d\r\n"
    b"ratelimit-remaining: %d\r\n"
    b"ratelimit-reset: %d\r\n"
    b'ratelimit-policy: "partner";q=%d;w=60\r\n'
    b'ratelimit: "partner";r=%d;t=%d\r\n'
)


def stale_headers(shown: Shown) -> dict[str, str]:
    """Answers since when what is shown may not hold; nothing where it does."""
    return {STALE_SINCE: f"{shown.stale_since:%Y-%m-%dT%H:%M:%SZ}"} if shown.stale_since is not None else {}


def everybodys_headers(*, stale: bool) -> Mapping[str, str]:
    """Answers that what is everybody's may be kept; the security headers forbid that where nothing is said."""
    return {
        # Of a stale page a cache would take the age for its own.
        "Cache-Control": "public, no-cache" if stale else f"public, max-age={PUBLIC_SECONDS}",
        "X-Robots-Tag": "all",
        "Cross-Origin-Resource-Policy": "cross-origin",  # so that a badge can stand on other sites
    }


def passing_lines(shown: Shown, now: datetime) -> bytes:
    """Answers what differs from answer to answer: the age of a page that may not hold, and what is left to ask."""
    lines = b""
    if shown.stale_since is not None:
        age = max(0, int((now - shown.stale_since).total_seconds()))
        lines = encoded(stale_headers(shown) | {"Age": str(age)})
    return lines if shown.rate_limit is None else lines + rate_limit_lines(shown.rate_limit)


def rate_limit_lines(left: RateLimitLeft) -> bytes:
    """Answers what is left, in the three fields that clients know and in the two of the IETF's draft."""
    limit, remaining, reset_seconds = left
    return _RATE_LIMIT % (limit, remaining, reset_seconds, limit, remaining, reset_seconds)


def is_everybodys(shown: Shown, source: Source) -> bool:
    """Whether anybody would be shown the same: a public page, read without any credential."""
    if source is not Source.NOWHERE:
        return False
    public = shown.content.status_page.visibility == STATUS_PAGE_VISIBILITY_PUBLIC
    return public and not shown.content.audience.partner_id
