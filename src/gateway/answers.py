"""Pages and refusals as HTTP answers, in the representation that was asked for."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway import languages
from gateway.edge import conditional, page_headers
from gateway.edge.page_headers import CREDENTIALS, passing_lines, rate_limit_lines
from gateway.edge.reading import Reading
from gateway.edge.represented import PAGE
from gateway.encoded_headers import encoded, fields_of
from gateway.negotiation import Representation, preferred
from gateway.refusal import Refusal
from gateway.representations import html
from gateway.security_headers import headers_for
from gateway.shown import Rendering, Shown

NEGOTIATED = f"Accept, {CREDENTIALS}, {languages.VARY}"

FORM_HEADERS = {"Referrer-Policy": "same-origin"}
"""Of a page with a form: browsers tell its origin only where they may tell it at all; see gateway.edge.own_origin."""


class Answer(NamedTuple):
    """A page as it is answered; `headers` are all of them, as lines."""

    status: int
    headers: bytes
    body: bytes


class PageResponse(Response):
    """An answer for the framework, whose headers are told in full: nothing is worked out again."""

    def __init__(self, answer: Answer) -> None:
        self.status_code, self.body, self.background = answer.status, answer.body, None
        self.raw_headers = fields_of(answer.headers)


def page(reading: Reading, shown: Shown, now: datetime) -> Answer:
    """Answers a representation of the page, or that the client holds it already."""
    rendering = reading.represented.of(shown, reading.viewing, now)
    held = conditional.holds(reading.if_none_match, rendering.etag)
    everybodys, stale = page_headers.is_everybodys(shown, reading.source), shown.stale_since is not None
    key = (held, everybodys, stale, reading.negotiated, reading.scheme)
    head = rendering.heads.get(key)
    if head is None:
        headers = _headers(reading, shown, rendering, held=held)
        if everybodys:
            headers |= page_headers.everybodys_headers(stale=stale)
        head = rendering.heads[key] = encoded(headers)
    return Answer(304 if held else 200, passing_lines(shown, now) + head, b"" if held else rendering.body)


def _headers(reading: Reading, shown: Shown, rendering: Rendering, *, held: bool) -> dict[str, str]:
    """Answers what is the same whenever this rendering is answered like this."""
    headers = headers_for(reading.scheme) | {"ETag": rendering.etag}
    headers["Vary"] = NEGOTIATED if reading.negotiated else CREDENTIALS
    if reading.represented is PAGE:
        headers |= html.headers(shown.content, reading.viewing.language)
        if reading.viewing.sign_out:
            headers |= FORM_HEADERS
    if not held:
        headers |= {"Content-Length": str(len(rendering.body)), "Content-Type": rendering.media_type}
    return headers


def refusal(request: Request, refused: Refusal, sign_in: str = "") -> Response:
    """Answers why not; `sign_in` is where a form may send a token."""
    headers = {"Vary": NEGOTIATED}
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="status page"'
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if refused.rate_limit is not None:
        limit = fields_of(rate_limit_lines(refused.rate_limit))
        headers |= {name.decode(): value.decode() for name, value in limit}
    if wanted(request) is Representation.JSON:
        body = {"error": {"reason": refused.reason, "message": refused.message}}
        return JSONResponse(body, refused.status, headers=headers)
    if sign_in and refused.status == 401:
        headers |= FORM_HEADERS
    code = language(request)
    return _html(html.render_refusal(refused, code, sign_in), refused.status, headers | {"Content-Language": code})


def wanted(request: Request) -> Representation:
    return preferred(", ".join(request.headers.getlist("accept")))


def language(request: Request) -> str:
    return languages.preferred(request.headers.get("accept-language"))


def _html(rendering: Rendering, status: int, headers: dict[str, str]) -> Response:
    return Response(rendering.body, status, headers, rendering.media_type)
