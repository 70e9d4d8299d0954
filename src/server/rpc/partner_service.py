"""PartnerService: translates, calls, translates."""

from __future__ import annotations

from typing import Any

import grpc

from oncall.v1 import partner_pb2, partner_service_pb2_grpc
from oncall.v1 import partner_service_pb2 as pb
from server.domain.partner import Partner
from server.operations import create_partner, read_status_page
from server.operations.show_status_page import Reception, show_status_page
from server.rpc.conversion import request_key
from server.rpc.current_call import current_call
from server.rpc.partner_conversion import partner_from_pb, partner_to_pb, show_request_from_pb
from server.rpc.shown_page_conversion import shown_page_to_pb

Context = grpc.aio.ServicerContext[Any, Any]


class PartnerService(partner_service_pb2_grpc.PartnerServiceServicer):
    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._env = reception.env

    async def CreatePartner(self, request: pb.CreatePartnerRequest, context: Context) -> pb.CreatePartnerResponse:
        partner, token = await create_partner.create_partner(
            self._env, self._reception.tokens, current_call(), partner_from_pb(request.partner), request_key(request)
        )
        return pb.CreatePartnerResponse(partner=self._to_pb(partner), token=token)

    async def GetPartner(self, request: pb.GetPartnerRequest, context: Context) -> pb.GetPartnerResponse:
        partner = await read_status_page.get_partner(self._env, current_call(), request.partner_id)
        return pb.GetPartnerResponse(partner=self._to_pb(partner))

    async def RevokePartner(self, request: pb.RevokePartnerRequest, context: Context) -> pb.RevokePartnerResponse:
        partner = await create_partner.revoke_partner(self._env, current_call(), request.partner_id)
        return pb.RevokePartnerResponse(partner=self._to_pb(partner))

    async def GetStatusPage(self, request: pb.GetStatusPageRequest, context: Context) -> pb.GetStatusPageResponse:
        shown, partner = await show_status_page(self._reception, show_request_from_pb(request))
        return shown_page_to_pb(shown, partner, request.known_content_tag)

    def _to_pb(self, partner: Partner) -> partner_pb2.Partner:
        return partner_to_pb(partner, self._env.now())
