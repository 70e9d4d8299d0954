"""Why a request is not answered with a page: an HTTP status, a reason for programs and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.shown import RateLimitLeft

RETRY_SECONDS = 5


@dataclass(eq=False)  # not frozen: Python itself writes into a raised exception
class Refusal(Exception):
    """`retry_after` is in whole seconds; `title` heads the readable page; `rate_limit` is that of a partner."""

    status: int
    reason: str
    title: str
    message: str
    retry_after: int | None = None
    rate_limit: RateLimitLeft | None = None


def unavailable() -> Refusal:
    """Nothing can be said just now: not that a page exists, and not that a token is wrong."""
    return Refusal(
        503,
        "UNAVAILABLE",
        "Not available just now",
        "The status page cannot be read just now. Please try again in a few seconds.",
        RETRY_SECONDS,
    )


def missing_token() -> Refusal:
    return Refusal(
        401,
        "TOKEN_MISSING",
        "Access token needed",
        "This page is shown to partners only, if it exists. Send your token as “Authorization: Bearer ocp_…”.",
    )


def unknown_token() -> Refusal:
    return Refusal(
        401,
        "TOKEN_UNKNOWN",
        "Access token not known",
        "The token you sent is not known. Check that it is complete, or ask whoever gave it to you for a new one.",
    )


def unknown_page() -> Refusal:
    return Refusal(
        404, "NOT_FOUND", "No such page", "There is no status page at this address. Check the address you were given."
    )


def forbidden(reason: str) -> Refusal:
    """Answers the refusal for a partner who is known, and may not read just now."""
    title, message = _FORBIDDEN[reason]
    return Refusal(403, reason, title, message)


def not_understood(message: str = "What was asked for cannot be understood.") -> Refusal:
    return Refusal(400, "INVALID_ARGUMENT", "Not understood", message)


def too_many(retry_after: int, rate_limit: RateLimitLeft | None = None) -> Refusal:
    return Refusal(
        429,
        "RESOURCE_EXHAUSTED",
        "Too many requests",
        "You have asked too often. Please wait before you ask again.",
        retry_after,
        rate_limit,
    )


_FORBIDDEN = {
    "PARTNER_REVOKED": ("Access revoked", "Your access to this page was revoked. Ask whoever gave it to you."),
    "PARTNER_EXPIRED": ("Access expired", "Your access to this page has expired. Ask whoever gave it to you."),
    "IP_NOT_ALLOWED": ("Address not allowed", "Your access to this page is not open to the address you come from."),
}

FORBIDDEN_REASONS = frozenset(_FORBIDDEN)
