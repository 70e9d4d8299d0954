"""Pages and refusals as HTTP answers, in the representation that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import JSONResponse, Response

from gateway import languages
from gateway.negotiation import Representation
from gateway.refusal import Refusal
from gateway.representations import html
from gateway.shown import Rendering, Shown
from gateway.summary_v2 import summary
from oncall.v1.status_page_pb2 import STATUS_PAGE_VISIBILITY_PUBLIC

VARY = f"Accept, Authorization, {languages.VARY}"
PUBLIC_SECONDS = 10


def page(shown: Shown, url: str, wanted: Representation, language: str) -> Response:
    """Answers the page; what anybody may read may be kept for some seconds, anything else by nobody."""
    answer, headers = shown.content, {"Vary": VARY}
    if (
        shown.stale_since is None
        and answer.status_page.visibility == STATUS_PAGE_VISIBILITY_PUBLIC
        and not answer.audience.partner_id
    ):
        headers |= {"Cache-Control": f"public, max-age={PUBLIC_SECONDS}", "X-Robots-Tag": "all"}
    if wanted is Representation.JSON:
        return JSONResponse(summary(answer, url), headers=headers)
    rendering = html.render(shown, url, language, datetime.now(UTC))
    return _html(rendering, 200, headers | html.headers(answer, language))


def refusal(refused: Refusal, wanted: Representation, language: str) -> Response:
    headers = {"Vary": VARY}
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="status page"'
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if wanted is Representation.JSON:
        body = {"error": {"reason": refused.reason, "message": refused.message}}
        return JSONResponse(body, refused.status, headers=headers)
    return _html(html.render_refusal(refused, language), refused.status, headers | {"Content-Language": language})


def _html(rendering: Rendering, status: int, headers: dict[str, str]) -> Response:
    return Response(rendering.body, status, headers, rendering.media_type)
