"""PartnerService: translates, calls, translates."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import grpc

from kernel.errors import PermissionDenied
from oncall.v1 import partner_pb2, partner_service_pb2_grpc
from oncall.v1 import partner_service_pb2 as pb
from server.domain.partner import Partner
from server.domain.violation import Violations
from server.operations import administer_partners, create_partner, read_status_page, serve_gateway
from server.operations.preview_status_page import preview_status_page
from server.operations.show_status_page import (
    Presented,
    Reception,
    ShowRequest,
    create_page_session,
    end_page_session,
    show_status_page,
)
from server.operations.watch_status_pages import PageWatches
from server.rpc.conversion import duration_to_pb, page_request, request_key, time_from_pb, time_to_pb
from server.rpc.current_call import current_call
from server.rpc.partner_conversion import (
    access_to_pb,
    change_to_pb,
    grace_from_pb,
    partner_from_pb,
    partner_to_pb,
    session_to_pb,
    show_request_from_pb,
    token_to_pb,
    update_from_pb,
)
from server.rpc.shown_answer import answer_to_pb, preview_to_pb

MOST_CONFIRMATIONS = 1_000

_WATCH_ID = re.compile(r"[A-Za-z0-9-]{16,100}")

Context = grpc.aio.ServicerContext[Any, Any]


class PartnerService(partner_service_pb2_grpc.PartnerServiceServicer):
    def __init__(self, reception: Reception, watches: PageWatches) -> None:
        self._reception = reception
        self._watches = watches
        self._env = reception.env

    async def CreatePartner(self, request: pb.CreatePartnerRequest, context: Context) -> pb.CreatePartnerResponse:
        partner, token = await create_partner.create_partner(
            self._env, self._reception.tokens, current_call(), partner_from_pb(request.partner), request_key(request)
        )
        return pb.CreatePartnerResponse(partner=self._to_pb(partner), token=token)

    async def GetPartner(self, request: pb.GetPartnerRequest, context: Context) -> pb.GetPartnerResponse:
        partner = await read_status_page.get_partner(self._env, current_call(), request.partner_id)
        return pb.GetPartnerResponse(partner=self._to_pb(partner))

    async def ListPartners(self, request: pb.ListPartnersRequest, context: Context) -> pb.ListPartnersResponse:
        page = await read_status_page.list_partners(
            self._env, current_call(), request.status_page_id, page_request(request)
        )
        return pb.ListPartnersResponse(partners=page.map(self._to_pb), next_page_token=page.next_token)

    async def UpdatePartner(self, request: pb.UpdatePartnerRequest, context: Context) -> pb.UpdatePartnerResponse:
        partner = await administer_partners.update_partner(
            self._env, self._watches, current_call(), update_from_pb(request)
        )
        return pb.UpdatePartnerResponse(partner=self._to_pb(partner))

    async def RevokePartner(self, request: pb.RevokePartnerRequest, context: Context) -> pb.RevokePartnerResponse:
        partner = await administer_partners.revoke_partner(self._env, self._watches, current_call(), request.partner_id)
        return pb.RevokePartnerResponse(partner=self._to_pb(partner))

    async def RotatePartnerToken(
        self, request: pb.RotatePartnerTokenRequest, context: Context
    ) -> pb.RotatePartnerTokenResponse:
        rotation = await administer_partners.rotate_token(
            self._env,
            self._watches,
            self._reception.tokens,
            current_call(),
            request.partner_id,
            grace_from_pb(request),
            request_key(request),
        )
        return pb.RotatePartnerTokenResponse(
            partner=self._to_pb(rotation.partner),
            token=rotation.token,
            old_token=token_to_pb(rotation.old) if rotation.old else None,
        )

    async def ListPartnerSessions(
        self, request: pb.ListPartnerSessionsRequest, context: Context
    ) -> pb.ListPartnerSessionsResponse:
        page = await read_status_page.list_sessions(
            self._env, current_call(), request.partner_id, page_request(request)
        )
        return pb.ListPartnerSessionsResponse(sessions=page.map(session_to_pb), next_page_token=page.next_token)

    async def ListPartnerAccess(
        self, request: pb.ListPartnerAccessRequest, context: Context
    ) -> pb.ListPartnerAccessResponse:
        call, wanted = current_call(), page_request(request)
        if request.WhichOneof("of") == "asked":
            if not call.caller.service_account:
                raise PermissionDenied("nobody but the gateway asks with somebody else's credential")
            asked = show_request_from_pb(request.asked)
            page = await serve_gateway.list_own_accesses(self._reception, call, asked, wanted)
        else:
            page = await read_status_page.list_accesses(self._env, call, request.partner_id, wanted)
        return pb.ListPartnerAccessResponse(accesses=page.map(access_to_pb), next_page_token=page.next_token)

    async def GetStatusPage(self, request: pb.GetStatusPageRequest, context: Context) -> pb.GetStatusPageResponse:
        answer = await show_status_page(self._reception, show_request_from_pb(request))
        return answer_to_pb(answer, request.known_content_tag)

    async def GetStatusPagePreview(
        self, request: pb.GetStatusPagePreviewRequest, context: Context
    ) -> pb.GetStatusPagePreviewResponse:
        preview = await preview_status_page(self._env, current_call(), request.status_page_id, request.partner_id)
        return pb.GetStatusPagePreviewResponse(shown=preview_to_pb(preview))

    async def CreatePageSession(
        self, request: pb.CreatePageSessionRequest, context: Context
    ) -> pb.CreatePageSessionResponse:
        asked = ShowRequest(request.slug, request.client_ip, request.user_agent, Presented.ANY_TOKEN, request.token)
        token, expires_at = await create_page_session(self._reception, asked)
        return pb.CreatePageSessionResponse(session_token=token, expires_at=time_to_pb(expires_at))

    async def EndPageSession(self, request: pb.EndPageSessionRequest, context: Context) -> pb.EndPageSessionResponse:
        await end_page_session(self._reception, self._watches, request.session_token)
        return pb.EndPageSessionResponse()

    async def WatchStatusPages(
        self, request: pb.WatchStatusPagesRequest, context: Context
    ) -> AsyncIterator[pb.WatchStatusPagesResponse]:
        _check_watch_id(Violations(), request.watch_id)
        lease = duration_to_pb(self._watches.lease.total_seconds())
        async for changes in self._watches.watch(request.watch_id):
            yield pb.WatchStatusPagesResponse(changes=[change_to_pb(change) for change in changes], lease=lease)

    async def RenewStatusPageWatch(
        self, request: pb.RenewStatusPageWatchRequest, context: Context
    ) -> pb.RenewStatusPageWatchResponse:
        violations = Violations()
        if len(request.confirmed_change_ids) > MOST_CONFIRMATIONS:
            violations.add("confirmed_change_ids", f"must be at most {MOST_CONFIRMATIONS:,}")
        confirmed = [
            violations.uuid(f"confirmed_change_ids[{index}]", change)
            for index, change in enumerate(request.confirmed_change_ids)
        ]
        _check_watch_id(violations, request.watch_id)
        await self._watches.renew(request.watch_id, confirmed)
        return pb.RenewStatusPageWatchResponse(lease=duration_to_pb(self._watches.lease.total_seconds()))

    async def RecordPartnerAccesses(
        self, request: pb.RecordPartnerAccessesRequest, context: Context
    ) -> pb.RecordPartnerAccessesResponse:
        accesses = [_accesses_from_pb(f"accesses[{index}]", some) for index, some in enumerate(request.accesses)]
        await serve_gateway.record_accesses(self._env, current_call(), accesses, request.request_id)
        return pb.RecordPartnerAccessesResponse()

    def _to_pb(self, partner: Partner) -> partner_pb2.Partner:
        return partner_to_pb(partner, self._env.now())


def _check_watch_id(violations: Violations, watch_id: str) -> None:
    if not _WATCH_ID.fullmatch(watch_id):
        violations.add("watch_id", "must be 16 to 100 letters, digits and '-'")
    violations.raise_if_any()


def _accesses_from_pb(field: str, some: pb.AnsweredAccesses) -> serve_gateway.AnsweredAccesses:
    return serve_gateway.AnsweredAccesses(
        partner_id=some.partner_id,
        token_id=some.token_id,
        token_prefix=some.token_prefix,
        client_ip=some.client_ip,
        user_agent=some.user_agent,
        first_at=time_from_pb(f"{field}.first_at", some.first_at),
        last_at=time_from_pb(f"{field}.last_at", some.last_at),
        count=some.count,
    )
