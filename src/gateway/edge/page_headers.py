"""The headers of a page, alike with a body and with a 304: who may keep it, how fresh it is, what is left to ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.edge.credentials import Source
from gateway.shown import RateLimitLeft, Shown
from oncall.v1.status_page_pb2 import STATUS_PAGE_VISIBILITY_PUBLIC

PUBLIC_SECONDS = 10
CREDENTIALS = "Authorization, Cookie"
STALE_SINCE = "Oncall-Stale-Since"


def page_headers(shown: Shown, source: Source, now: datetime) -> dict[str, str]:
    """Answers the headers; the security headers forbid keeping and indexing wherever nothing is said here."""
    headers: dict[str, str] = {}
    if _is_everybodys(shown, source):
        headers |= {"Cache-Control": f"public, max-age={PUBLIC_SECONDS}", "X-Robots-Tag": "all"}
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # so that a badge can stand on other sites
    if shown.stale_since is not None:
        age = max(0, int((now - shown.stale_since).total_seconds()))
        headers |= stale_headers(shown) | {"Age": str(age)}
        if "Cache-Control" in headers:
            headers["Cache-Control"] = "public, no-cache"  # a cache would take the age for its own
    if shown.rate_limit is not None:
        headers |= rate_limit_headers(shown.rate_limit)
    return headers


def stale_headers(shown: Shown) -> dict[str, str]:
    """Answers since when what is shown may not hold; nothing where it does."""
    return {STALE_SINCE: f"{shown.stale_since:%Y-%m-%dT%H:%M:%SZ}"} if shown.stale_since is not None else {}


def rate_limit_headers(left: RateLimitLeft) -> Mapping[str, str]:
    """Answers what is left, in the three fields that clients know and in the two of the IETF's draft."""
    return {
        "RateLimit-Limit": str(left.limit),
        "RateLimit-Remaining": str(left.remaining),
        "RateLimit-Reset": str(left.reset_seconds),
        "RateLimit-Policy": f'"partner";q={left.limit};w=60',
        "RateLimit": f'"partner";r={left.remaining};t={left.reset_seconds}',
    }


def _is_everybodys(shown: Shown, source: Source) -> bool:
    """Whether anybody would be shown the same: a public page, read without any credential."""
    public = shown.content.status_page.visibility == STATUS_PAGE_VISIBILITY_PUBLIC
    return public and source is Source.NOWHERE and not shown.content.audience.partner_id
