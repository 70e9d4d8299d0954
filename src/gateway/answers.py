"""Pages and refusals as HTTP answers, in the representation that was asked for."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse, Response

from gateway.negotiation import Representation
from gateway.page_view import page_view
from gateway.refusal import Refusal
from gateway.summary_v2 import summary
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from oncall.v1.status_page_pb2 import STATUS_PAGE_VISIBILITY_PUBLIC

STYLESHEET = (files("gateway") / "static" / "status.css").read_bytes()
STYLESHEET_PATH = f"/assets/status.{sha256(STYLESHEET).hexdigest()[:12]}.css"

VARY = "Accept, Authorization"
PUBLIC_SECONDS = 10

_templates = Environment(
    loader=PackageLoader("gateway"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_templates.globals["stylesheet"] = STYLESHEET_PATH
_page = _templates.get_template("page.html")
_refusal = _templates.get_template("refusal.html")


def page(answer: GetStatusPageResponse, url: str, wanted: Representation) -> Response:
    """Answers the page; what anybody may read may be kept for some seconds, anything else by nobody."""
    headers = {"Vary": VARY}
    if answer.status_page.visibility == STATUS_PAGE_VISIBILITY_PUBLIC and not answer.audience.partner_id:
        headers |= {"Cache-Control": f"public, max-age={PUBLIC_SECONDS}", "X-Robots-Tag": "all"}
    if wanted is Representation.JSON:
        return JSONResponse(summary(answer, url), headers=headers)
    return HTMLResponse(_page.render(asdict(page_view(answer, datetime.now(UTC)))), headers=headers)


def refusal(refused: Refusal, wanted: Representation) -> Response:
    headers = {"Vary": VARY}
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="status page"'
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if wanted is Representation.JSON:
        body = {"error": {"reason": refused.reason, "message": refused.message}}
        return JSONResponse(body, refused.status, headers=headers)
    html = _refusal.render(title=refused.title, message=refused.message, reason=refused.reason)
    return HTMLResponse(html, refused.status, headers=headers)
