"""Pages and refusals as HTTP answers, in the representation that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway import languages
from gateway.edge import conditional
from gateway.edge.credentials import Source
from gateway.edge.page_headers import CREDENTIALS, page_headers, rate_limit_headers
from gateway.edge.represented import PAGE, Represented, Viewing
from gateway.negotiation import Representation, preferred
from gateway.refusal import Refusal
from gateway.representations import html
from gateway.shown import Rendering, Shown

NEGOTIATED = f"Accept, {CREDENTIALS}, {languages.VARY}"

FORM_HEADERS = {"Referrer-Policy": "same-origin"}
"""Of a page with a form: browsers tell its origin only where they may tell it at all; see gateway.edge.own_origin."""


def page(request: Request, shown: Shown, source: Source, represented: Represented, viewing: Viewing) -> Response:
    """Answers a representation of the page, or that the client holds it already."""
    rendering = represented.of(shown, viewing)
    headers = page_headers(shown, source, viewing.now) | {"ETag": rendering.etag, "Vary": _vary(request, represented)}
    if represented is PAGE:
        headers |= html.headers(shown.content, viewing.language)
        if viewing.sign_out:
            headers |= FORM_HEADERS
    if conditional.holds(", ".join(request.headers.getlist("if-none-match")), rendering.etag):
        return _Answer(b"", 304, headers)
    headers |= {"Content-Length": str(len(rendering.body)), "Content-Type": rendering.media_type}
    return _Answer(rendering.body, 200, headers)


class _Answer(Response):
    """A response whose headers are told in full, so that nothing is worked out again for each request."""

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [_encoded(name, value) for name, value in headers.items()]


@lru_cache(maxsize=4096)  # what differs is some tags, and how much is left to ask
def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def refusal(request: Request, refused: Refusal, sign_in: str = "") -> Response:
    """Answers why not; `sign_in` is where a form may send a token."""
    headers = {"Vary": NEGOTIATED}
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="status page"'
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if refused.rate_limit is not None:
        headers |= rate_limit_headers(refused.rate_limit)
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


def _vary(request: Request, represented: Represented) -> str:
    """Answers what the choice went by: at the page's own address also by what was accepted."""
    return CREDENTIALS if request.scope["path"].endswith(represented.path) and represented.path else NEGOTIATED


def _html(rendering: Rendering, status: int, headers: dict[str, str]) -> Response:
    return Response(rendering.body, status, headers, rendering.media_type)
