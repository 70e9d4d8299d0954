"""Whether a form comes from a page of ours: what a browser itself says, which no page can make it lie about."""

from __future__ import annotations

from starlette.requests import Request

from gateway.refusal import Refusal

_OURS = frozenset({"same-origin", "none"})


def require(request: Request, origin: str) -> None:
    """Refuses what another site made a browser send.

    `Sec-Fetch-Site` decides where it is sent; older browsers send `Origin`, which must be `origin`. Programs send
    neither, and have no cookies that somebody else could use.
    """
    site = request.headers.get("sec-fetch-site")
    said = request.headers.get("origin")
    by_origin = said is None or said.lower() == origin.lower()
    if not (by_origin if site is None else site.lower() in _OURS):
        raise Refusal(403, "FOREIGN_ORIGIN", "Sent from elsewhere", "This form must be sent from the page itself.")
