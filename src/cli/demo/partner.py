"""The demo's partner, who may read its status page; their token is kept, for it is shown only once."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from cli.demo import content
from oncall.client import Client
from oncall.errors import OncallError
from oncall.v1 import partner_service_pb2 as rpc
from oncall.v1.partner_pb2 import Partner
from oncall.v1.partner_service_pb2_grpc import PartnerServiceStub

_MOST_PARTNERS = 100


async def open_partner(author: Client, page_id: str, kept: Mapping[str, str]) -> dict[str, str]:
    """Answers page_id, partner_id and partner_token; a kept partner who still has access is used again."""
    if kept.get("page_id") == page_id and await _has_access(author, kept.get("partner_id", "")):
        return dict(kept)
    return {"page_id": page_id, **await _new_partner(author, page_id)}


async def _has_access(author: Client, partner_id: str) -> bool:
    if not partner_id:
        return False
    partners = PartnerServiceStub(author.channel)
    try:
        answer = await partners.GetPartner(rpc.GetPartnerRequest(partner_id=partner_id))
    except OncallError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            return False
        raise
    return answer.partner.is_active


async def _new_partner(author: Client, page_id: str) -> dict[str, str]:
    """Creates a partner of the first free name: a token is shown once, so one whose token is lost is of no use."""
    partners = PartnerServiceStub(author.channel)
    for number in range(1, _MOST_PARTNERS):
        name = content.PARTNER if number == 1 else f"{content.PARTNER} {number}"
        wanted = rpc.CreatePartnerRequest(partner=Partner(status_page_id=page_id, name=name))
        try:
            created = await partners.CreatePartner(wanted)
        except OncallError as error:
            if error.code is grpc.StatusCode.ALREADY_EXISTS:
                continue
            raise
        return {"partner_id": created.partner.id, "partner_token": created.token}
    message = "the demo's status page has too many partners"
    raise RuntimeError(message)
