"""A request for a page as it was read: all that its answer depends on besides the page and the time."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from gateway.edge.client_address import ForwardedHeader
from gateway.edge.credentials import Source
from gateway.edge.represented import Represented, Viewing

HEADERS = frozenset(
    {b"host", b"authorization", b"cookie", b"user-agent", b"accept", b"accept-language", b"if-none-match"}
    | {b"x-forwarded-proto"}
    | {header.value.encode() for header in ForwardedHeader}
)
"""What of a request for a page is looked at: no other header can make its answer another one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`source` is where the credential stood; `negotiated`: it was chosen by what was accepted, not by its address."""

    represented: Represented
    viewing: Viewing
    source: Source
    scheme: str
    negotiated: bool
    if_none_match: str


def narrowed(request: Request) -> Request:
    """Answers the request without the headers that do not count."""
    scope = request.scope
    return Request({**scope, "headers": [field for field in scope["headers"] if field[0] in HEADERS]})
