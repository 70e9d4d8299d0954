"""A partner's own report of who read as them, as JSON."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request

from gateway.refusal import Refusal
from gateway.representations.json_v2_words import time
from oncall.v1.partner_service_pb2 import ListPartnerAccessResponse

LONGEST_PAGE = 500
LONGEST_PAGE_TOKEN = 1_000


def wanted_page(request: Request) -> tuple[int, str]:
    """Answers `?page_size=`, 0 where nothing is said, and `?page_token=`; refuses nonsense."""
    size = request.query_params.get("page_size", "0")
    token = request.query_params.get("page_token", "")
    if not (size.isascii() and size.isdecimal() and len(size) <= 4) or int(size) > LONGEST_PAGE:
        raise _bad(f"page_size must be a number up to {LONGEST_PAGE}.")
    if len(token) > LONGEST_PAGE_TOKEN:
        raise _bad("page_token must be one that was answered as next_page_token.")
    return int(size), token


def report(found: ListPartnerAccessResponse) -> dict[str, Any]:
    """Answers the body; `next_page_token` is null on the last page."""
    return {
        "accesses": [
            {
                "date": access.date,
                "token_prefix": access.token_prefix,
                "client_ip": access.client_ip,
                "access_count": access.access_count,
                "first_at": _moment(access.first_at),
                "last_at": _moment(access.last_at),
            }
            for access in found.accesses
        ],
        "next_page_token": found.next_page_token or None,
    }


def _moment(at: Timestamp) -> str | None:
    return time(at) if at.ByteSize() else None


def _bad(message: str) -> Refusal:
    return Refusal(400, "INVALID_ARGUMENT", "Not understood", message)
