"""Partners between the contract and the domain."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kernel.errors import FieldViolation, InvalidArgument
from oncall.v1 import partner_pb2 as pb
from oncall.v1 import partner_service_pb2
from server.domain.partner import Partner
from server.operations.create_partner import PartnerDraft
from server.operations.show_status_page import ShowRequest
from server.rpc.conversion import time_to_pb


def partner_from_pb(partner: pb.Partner) -> PartnerDraft:
    return PartnerDraft(
        status_page_id=partner.status_page_id,
        name=partner.name,
        contact_email=partner.contact_email,
        ip_allowlist=list(partner.ip_allowlist),
        component_ids=list(partner.component_ids),
        requests_per_minute=partner.requests_per_minute,
        expires_at=_expiry(partner.expires_at) if partner.HasField("expires_at") else None,
    )


def partner_to_pb(partner: Partner, now: datetime) -> pb.Partner:
    content = partner.content
    return pb.Partner(
        id=str(partner.id),
        status_page_id=str(partner.status_page_id),
        name=content.name,
        contact_email=content.contact_email,
        ip_allowlist=content.ip_allowlist,
        component_ids=[str(component) for component in content.component_ids],
        expires_at=time_to_pb(content.expires_at),
        requests_per_minute=content.requests_per_minute,
        token_prefix=partner.token_prefix,
        is_active=partner.is_active(now),
        last_access_at=time_to_pb(partner.last_access_at),
        access_count=partner.access_count,
        revoked_at=time_to_pb(partner.revoked_at),
        etag=partner.etag,
        created_by=str(partner.created_by),
        created_at=time_to_pb(partner.created_at),
        updated_at=time_to_pb(partner.updated_at),
    )


def show_request_from_pb(request: partner_service_pb2.GetStatusPageRequest) -> ShowRequest:
    presented = request.WhichOneof("credential")
    return ShowRequest(
        slug=request.slug,
        client_ip=request.client_ip,
        user_agent=request.user_agent,
        partner_token=request.partner_token if presented == "partner_token" else None,
        page_token=request.page_token if presented == "page_token" else None,
    )


def _expiry(timestamp: Timestamp) -> datetime:
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument([FieldViolation("partner.expires_at", "must be a time of the years 1 to 9999")]) from None
