"""The answer of GetStatusPage: what is shown, and around it for whom and for how long."""

from __future__ import annotations

from oncall.v1.partner_pb2 import Audience
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from server.domain.partner_gate import Admitted
from server.operations.preview_status_page import Preview
from server.operations.show_status_page import Answer
from server.rpc.conversion import allowance_to_pb, time_to_pb
from server.rpc.shown_page_conversion import content_tag, shown_page_to_pb


def answer_to_pb(answer: Answer, known_content_tag: str) -> GetStatusPageResponse:
    """Answers the page; without its content where the gateway keeps just that."""
    content = shown_page_to_pb(answer.shown)
    tag = content_tag(content)
    unchanged = tag == known_content_tag
    response = GetStatusPageResponse() if unchanged else content
    response.MergeFrom(
        GetStatusPageResponse(
            audience=audience_to_pb(answer.admitted),
            content_tag=tag,
            unchanged=unchanged,
            page_version=answer.shown.version,
            content_expires_at=time_to_pb(answer.shown.expires_at),
            admitted_until=time_to_pb(answer.admitted_until),
            access_ends_at=time_to_pb(answer.admitted.ends_at),
            rate_limit=allowance_to_pb(answer.allowance) if answer.allowance else None,
        )
    )
    return response


def preview_to_pb(preview: Preview) -> GetStatusPageResponse:
    """Answers the page as the gateway gets it, without what lets anybody in."""
    response = shown_page_to_pb(preview.shown)
    tag = content_tag(response)
    partner = preview.partner
    audience = Audience(partner_id=str(partner.id), partner_name=partner.content.name) if partner else Audience()
    response.MergeFrom(
        GetStatusPageResponse(
            audience=audience,
            content_tag=tag,
            page_version=preview.shown.version,
            content_expires_at=time_to_pb(preview.shown.expires_at),
        )
    )
    return response


def audience_to_pb(admitted: Admitted) -> Audience:
    token = admitted.token
    if token is None:
        return Audience()
    return Audience(
        partner_id=str(token.partner.id),
        partner_name=token.partner.content.name,
        token_id=str(token.id),
        token_prefix=token.prefix,
    )
