"""Everybody who asks for a page, what they hold, how they present it, and what the gate owes them (decision 0005)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import quote

COOKIE_NAME = "oncall-session"


class Carrier(Enum):
    """Where a credential stands."""

    HEADER = "Authorization"
    COOKIE = "cookie"
    QUERY = "?token="


class Place(Enum):
    """What there is at an address, each under a slug of the same length."""

    FULL = "full-page-1"
    OPEN = "open-page-1"
    BARE = "bare-page-1"
    """Private as FULL is, and with nothing on it: who is refused must not tell the two apart."""
    MISSING = "none-page-1"


class Kind(Enum):
    """Who asks."""

    NOBODY = "no credential"
    GARBAGE = "garbage"
    BENT = "a good credential with another end"
    MISPLACED = "a good credential in another's place"
    PAGE_TOKEN_OF_ANOTHER = "page token of another page"  # a name
    PARTNER_OF_ANOTHER = "partner of another page"
    REVOKED = "revoked"
    ROTATED = "rotated"
    EXPIRED = "expired"
    ELSEWHERE = "wrong address"
    BUSY = "over its rate"
    RIGHT = "right partner"
    NARROW = "partner with a narrower scope"
    PAGE_TOKEN = "page token"  # a name


UNKNOWN = (Kind.GARBAGE, Kind.BENT, Kind.MISPLACED, Kind.PAGE_TOKEN_OF_ANOTHER)
REFUSED_AT_HOME = {
    Kind.REVOKED: (403, "PARTNER_REVOKED"),
    Kind.ROTATED: (403, "PARTNER_REVOKED"),
    Kind.EXPIRED: (403, "PARTNER_EXPIRED"),
    Kind.ELSEWHERE: (403, "IP_NOT_ALLOWED"),
    Kind.BUSY: (429, "RESOURCE_EXHAUSTED"),
}
READERS = (Kind.RIGHT, Kind.NARROW, Kind.PAGE_TOKEN)
WRONG = tuple(kind for kind in Kind if kind not in READERS)


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody holds: a token, and a session that was made of it while it was good."""

    token: str = field(repr=False)
    session: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Presentation:
    """A credential as it goes over HTTP."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)


GARBAGE_TOKEN = "garbage-that-nobody-was-ever-given-0123456789"  # nobody's


def presentation(kind: Kind, carrier: Carrier, held: Held, right: Held) -> Presentation:
    """Answers how `kind` presents what they hold; `right` is what the page's right partner holds."""
    if kind is Kind.NOBODY:
        return {
            Carrier.HEADER: Presentation(),
            Carrier.COOKIE: Presentation({"cookie": "theme=dark"}),
            Carrier.QUERY: Presentation(query="campaign=mail"),
        }[carrier]
    token, session = held.token, held.session
    if kind is Kind.GARBAGE:
        mark = "ocp_" if carrier is Carrier.HEADER else "ocg_"
        token, session = mark + GARBAGE_TOKEN, "ocs_" + GARBAGE_TOKEN
    if kind is Kind.BENT:
        token, session = _bent(right.token), _bent(right.session)
    if kind is Kind.MISPLACED:
        token, session = right.session, right.token
    return {
        Carrier.HEADER: Presentation({"authorization": f"Bearer {token}"}),
        Carrier.COOKIE: Presentation({"cookie": f"{COOKIE_NAME}={session}"}),
        Carrier.QUERY: Presentation(query=f"token={quote(token)}"),
    }[carrier]


def owed(kind: Kind, carrier: Carrier, place: Place) -> tuple[int, str] | None:
    """Answers the refusal that is owed; None where the page is to be shown."""
    nobody = None if place is Place.OPEN else (401, "TOKEN_MISSING")
    if kind is Kind.NOBODY:
        return nobody
    is_unknown = kind in UNKNOWN or (kind is Kind.PAGE_TOKEN and carrier is Carrier.HEADER)
    if is_unknown or (kind is Kind.PAGE_TOKEN and place is Place.MISSING):
        return nobody if carrier is Carrier.COOKIE else (401, "TOKEN_UNKNOWN")  # a bad session counts as none
    if kind is Kind.PARTNER_OF_ANOTHER or place is Place.MISSING:
        return (404, "NOT_FOUND")
    return REFUSED_AT_HOME.get(kind)


def _bent(secret: str) -> str:
    """Answers the same length with another end, beyond the bits that base64 ignores."""
    return secret[:-2] + ("AA" if secret[-2:] != "AA" else "BB")
