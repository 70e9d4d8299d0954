"""Partners between the contract and the domain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from kernel.errors import FieldViolation, InvalidArgument
from oncall.v1 import partner_pb2 as pb
from oncall.v1 import partner_service_pb2
from server.domain.partner import Partner, PartnerToken
from server.domain.partner_access import DayOfAccess, Session
from server.operations.administer_partners import PartnerUpdate
from server.operations.create_partner import PartnerDraft
from server.operations.show_status_page import Presented, ShowRequest
from server.operations.tell_page_change import PageChange
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
        tokens=[token_to_pb(token) for token in partner.tokens],
    )


def token_to_pb(token: PartnerToken) -> pb.PartnerToken:
    return pb.PartnerToken(
        prefix=token.prefix,
        created_at=time_to_pb(token.created_at),
        expires_at=time_to_pb(token.expires_at),
        last_used_at=time_to_pb(token.last_used_at),
    )


def update_from_pb(request: partner_service_pb2.UpdatePartnerRequest) -> PartnerUpdate:
    partner = request.partner
    return PartnerUpdate(partner.id, partner_from_pb(partner), partner.etag, list(request.update_mask.paths))


def grace_from_pb(request: partner_service_pb2.RotatePartnerTokenRequest) -> timedelta:
    try:
        return request.grace_period.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidArgument([FieldViolation("grace_period", "must be a duration")]) from None


def show_request_from_pb(request: partner_service_pb2.GetStatusPageRequest) -> ShowRequest:
    presented = request.WhichOneof("credential")
    return ShowRequest(
        slug=request.slug,
        client_ip=request.client_ip,
        user_agent=request.user_agent,
        presented=Presented(presented) if presented else Presented.NOTHING,
        secret=getattr(request, presented) if presented else "",
        background=request.background,
        wanted_grant=request.wanted_grant,
        counted_by_gateway=request.counted_by_gateway,
    )


def session_to_pb(visit: Session) -> pb.PartnerSession:
    return pb.PartnerSession(
        id=str(visit.id),
        partner_id=str(visit.partner_id),
        client_ip=visit.address,
        user_agent=visit.user_agent,
        token_prefix=visit.token_prefix,
        started_at=time_to_pb(visit.started_at),
        last_active_at=time_to_pb(visit.last_active_at),
        access_count=visit.access_count,
    )


def access_to_pb(day: DayOfAccess) -> pb.PartnerAccess:
    return pb.PartnerAccess(
        date=day.date.isoformat(),
        token_prefix=day.token_prefix,
        client_ip=day.address,
        access_count=day.access_count,
        first_at=time_to_pb(day.first_at),
        last_at=time_to_pb(day.last_at),
    )


def change_to_pb(change: PageChange) -> partner_service_pb2.StatusPageChange:
    return partner_service_pb2.StatusPageChange(
        id=str(change.id),
        status_page_id=str(change.status_page_id),
        slugs=change.slugs,
        page_version=change.page_version,
        revoked_partner_ids=[str(partner) for partner in change.revoked_partner_ids],
        ended_token_ids=[str(token) for token in change.ended_token_ids],
        page_token_ended=change.page_token_ended,
        deleted=change.deleted,
        confirm=change.confirm,
        ended_session_hashes=change.ended_session_hashes,
    )


def _expiry(timestamp: Timestamp) -> datetime:
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument([FieldViolation("partner.expires_at", "must be a time of the years 1 to 9999")]) from None
