"""Every representation of a page at its address: through the same gate, with its type, its tag and its headers."""

from __future__ import annotations

import pytest

from gateway.edge.represented import REPRESENTATIONS
from gateway.representations.json_v2 import DOCUMENTS
from tests.integration.edge import BEARER, HTML, Edge

TYPES = {
    "": "text/html; charset=utf-8",
    "/history.atom": "application/atom+xml",
    "/maintenance.ics": "text/calendar",
    "/badge.svg": "image/svg+xml",
} | {f"/api/v2/{document}.json": "application/json" for document in DOCUMENTS}


def test_all_of_them_are_listed() -> None:
    assert {one.path for one in REPRESENTATIONS} == set(TYPES)


@pytest.mark.parametrize("path", TYPES)
async def test_each_is_answered_and_held_by_its_tag(edge: Edge, path: str) -> None:
    answer = await edge.http.get(f"/status/acme{path}", headers=BEARER)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, TYPES[path].split(";")[0])
    assert answer.headers["cache-control"] == "private, no-store"
    again = await edge.http.get(f"/status/acme{path}", headers=BEARER | {"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "vary", "content-security-policy"):
        assert again.headers[name] == answer.headers[name]


@pytest.mark.parametrize("path", TYPES)
async def test_each_is_refused_without_a_token(edge: Edge, path: str) -> None:
    assert (await edge.http.get(f"/status/acme{path}")).status_code == 401
    edge.keep.public = True
    assert (await edge.http.get(f"/status/acme{path}")).headers["cache-control"] == "public, max-age=10"


async def test_the_logos_origin_is_allowed_with_the_page_also_where_it_did_not_change(edge: Edge) -> None:
    edge.keep.logo_url = "https://pictures.example/acme.svg"
    answer = await edge.http.get("/status/acme", headers=BEARER | HTML)
    again = await edge.http.get("/status/acme", headers=BEARER | HTML | {"if-none-match": answer.headers["etag"]})
    assert (answer.status_code, again.status_code) == (200, 304)
    for each in (answer, again):
        assert "pictures.example" in each.headers["content-security-policy"]
        assert each.headers["content-language"] == "en"


async def test_who_has_no_token_is_asked_for_one(edge: Edge) -> None:
    answer = await edge.http.get("/status/acme", headers=HTML)
    assert answer.status_code == 401
    assert 'action="/status/acme/session"' in answer.text


async def test_what_anybody_may_read_may_be_shown_on_other_sites(edge: Edge) -> None:
    private = await edge.http.get("/status/acme/badge.svg", headers=BEARER)
    assert private.headers["cross-origin-resource-policy"] == "same-origin"
    edge.keep.public = True
    public = await edge.http.get("/status/acme/badge.svg")
    assert public.headers["cross-origin-resource-policy"] == "cross-origin"
