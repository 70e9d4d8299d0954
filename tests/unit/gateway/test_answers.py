"""What goes around a page or a refusal: who may keep it, what it was chosen by, and the reason in any form."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from starlette.requests import Request

from gateway import answers, refusal
from gateway.edge.credentials import Source
from gateway.edge.reading import Reading
from gateway.edge.represented import PAGE, REPRESENTATIONS, Viewing
from gateway.shown import Shown
from oncall.v1 import status_page_pb2 as status_page
from tests.unit.gateway.pages import an_answer

URL = "https://status.example/status/acme"
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("visibility", "partner_name", "source", "cached"),
    [
        (status_page.STATUS_PAGE_VISIBILITY_PUBLIC, "", Source.NOWHERE, "public, max-age=10"),
        (status_page.STATUS_PAGE_VISIBILITY_PUBLIC, "", Source.COOKIE, None),
        (status_page.STATUS_PAGE_VISIBILITY_PUBLIC, "Northwind", Source.AUTHORIZATION, None),
        (status_page.STATUS_PAGE_VISIBILITY_PRIVATE, "Northwind", Source.AUTHORIZATION, None),
        (status_page.STATUS_PAGE_VISIBILITY_PRIVATE, "", Source.QUERY, None),
    ],
)
def test_only_what_anybody_may_read_may_be_kept_by_a_cache(
    visibility: status_page.StatusPageVisibility, partner_name: str, source: Source, cached: str | None
) -> None:
    shown = Shown(an_answer(visibility=visibility, partner_name=partner_name), "tag")
    for represented in REPRESENTATIONS:
        negotiated = represented is PAGE
        reading = Reading(represented, Viewing(URL, "en"), source, "https", negotiated, if_none_match="")
        headers = answers.PageResponse(answers.page(reading, shown, NOW)).headers
        assert headers["cache-control"] == (cached or "private, no-store")
        assert headers["vary"] == (
            "Accept, Authorization, Cookie, Accept-Language" if negotiated else "Authorization, Cookie"
        )


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_refusal_says_the_same_to_people_and_to_programs(accept: str) -> None:
    refused = refusal.too_many(7)
    answer = answers.refusal(a_request("/status/acme", accept), refused)
    assert answer.status_code == 429
    assert answer.media_type is not None
    assert answer.media_type.startswith(accept)
    assert answer.headers["retry-after"] == "7"
    assert refused.message in bytes(answer.body).decode()
    assert refused.reason in bytes(answer.body).decode()


def a_request(path: str, accept: str = "") -> Request:
    headers = [(b"accept", accept.encode())] if accept else []
    return Request(
        {"type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"", "headers": headers}
    )
