"""How requests come in and answers go out at the gateway, over real HTTP: heads, headers, methods, numbers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway import openapi, refusal
from gateway.edge.client_address import Proxies, parse_networks
from gateway.edge.http_connection import LONGEST_HEAD, MOST_HEADERS, LimitedConnection
from gateway.shown import RateLimitLeft
from tests.integration.edge import BEARER, COOKIE, HTML, JSON, SUMMARY, TOKEN, Edge, an_edge


@pytest.mark.parametrize(("path", "headers"), [("/status/acme", HTML), ("/status/acme", JSON), (SUMMARY, {})])
async def test_what_a_client_holds_already_is_not_sent_again(edge: Edge, path: str, headers: dict[str, str]) -> None:
    first = await edge.http.get(path, headers=headers | BEARER)
    tag = first.headers["etag"]
    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await edge.http.get(path, headers=headers | BEARER | {"if-none-match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        for name in ("cache-control", "vary", "content-security-policy"):
            assert again.headers[name] == first.headers[name]
    changed = await edge.http.get(path, headers=headers | BEARER | {"if-none-match": '"other"'})
    assert changed.status_code == 200
    refused = await edge.http.get(path, headers=headers | {"if-none-match": tag})
    assert refused.status_code == 401


async def test_only_a_public_page_without_a_credential_may_be_kept_and_indexed(edge: Edge) -> None:
    edge.keep.public = True
    for headers, kept in (({}, "public, max-age=10"), (BEARER, "private, no-store"), (COOKIE, "private, no-store")):
        answer = await edge.http.get(SUMMARY, headers=headers)
        assert answer.headers["cache-control"] == kept
        assert ("noindex" in answer.headers["x-robots-tag"]) == (headers != {})
        assert answer.headers["vary"] == "Authorization, Cookie"
    page = await edge.http.get("/status/acme", headers=HTML)
    assert page.headers["vary"] == "Accept, Authorization, Cookie, Accept-Language"


async def test_a_stale_page_says_since_when(edge: Edge) -> None:
    edge.keep.stale_since = datetime.now(UTC) - timedelta(minutes=3)
    answer = await edge.http.get(SUMMARY, headers=BEARER)
    assert answer.headers["oncall-stale-since"] == f"{edge.keep.stale_since:%Y-%m-%dT%H:%M:%SZ}"
    assert 180 <= int(answer.headers["age"]) < 240


async def test_what_is_left_to_ask_is_told(edge: Edge) -> None:
    edge.keep.rate_limit = RateLimitLeft(60, 12, 30)
    told = (await edge.http.get(SUMMARY, headers=BEARER)).headers
    assert [told[f"ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == ["60", "12", "30"]
    assert (told["ratelimit-policy"], told["ratelimit"]) == ('"partner";q=60;w=60', '"partner";r=12;t=30')
    edge.keep.refused = refusal.too_many(7)
    answer = await edge.http.get(SUMMARY, headers=BEARER)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


async def test_head_options_and_other_methods(edge: Edge) -> None:
    got, head = [await edge.http.request(method, SUMMARY, headers=BEARER) for method in ("GET", "HEAD")]
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", got.headers["etag"])
    stream = await edge.http.head("/status/acme/events", headers=BEARER)
    assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    for slug in ("acme", "other"):
        options = await edge.http.options(f"/status/{slug}")
        assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        put = await edge.http.put(f"/status/{slug}", headers=JSON)
        assert (put.status_code, put.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_addresses_that_are_not_served_are_alike_for_every_page(edge: Edge) -> None:
    for rest in ("/", "/nothing", "/api/v2/nothing.json", "/api"):
        found, missing = [await edge.http.get(f"/status/{slug}{rest}", headers=BEARER) for slug in ("acme", "other")]
        assert (found.status_code, found.content) == (404, missing.content)


async def test_a_mistake_of_ours_has_the_headers_too(edge: Edge) -> None:
    edge.keep.broken = True
    answer = await edge.http.get(SUMMARY, headers=BEARER | JSON)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (500, "INTERNAL")
    assert (answer.headers["cache-control"], answer.headers["x-frame-options"]) == ("private, no-store", "DENY")


async def test_behind_a_trusted_proxy_the_clients_address_and_scheme_count() -> None:
    forwarded = {"x-forwarded-for": "203.0.113.9, 198.51.100.7", "x-forwarded-proto": "https"}
    async with an_edge(proxies=Proxies(parse_networks("127.0.0.1"))) as edge:
        answer = await edge.http.post("/status/acme/session", headers=forwarded, data={"token": TOKEN})
        assert answer.headers["set-cookie"].startswith("__Secure-oncall-session=")
        assert answer.headers["set-cookie"].endswith("; Secure")
        assert "strict-transport-security" in answer.headers
        await edge.http.get(SUMMARY, headers=forwarded | BEARER)
        assert edge.keep.asked[-1].client_ip == "198.51.100.7"
    async with an_edge() as edge:
        answer = await edge.http.get(SUMMARY, headers=forwarded | BEARER)
        assert edge.keep.asked[-1].client_ip == "127.0.0.1"
        assert "strict-transport-security" not in answer.headers


async def test_a_head_that_is_too_large_is_refused(edge: Edge) -> None:
    for headers in ({"x-long": "x" * LONGEST_HEAD}, {f"x-{number}": "" for number in range(MOST_HEADERS)}):
        answer = await edge.http.get("/livez", headers=headers)
        assert (answer.status_code, answer.headers["connection"]) == (431, "close")
    assert (await edge.http.get("/livez")).status_code == 200


async def test_a_header_without_an_end_is_refused_before_it_fills_the_memory(edge: Edge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: ")
    await writer.drain()
    sent = 0
    with contextlib.suppress(ConnectionError):
        while not reader.at_eof() and sent < 100 * LONGEST_HEAD:
            writer.write(b"x" * 1_000)
            await writer.drain()
            sent += 1_000
            await asyncio.sleep(0)
    assert sent < 100 * LONGEST_HEAD
    assert (await edge.http.get("/livez")).status_code == 200
    writer.close()


async def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    class Impatient(LimitedConnection):
        head_seconds = 0.2

    async with an_edge(http=Impatient) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost:")
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


async def test_a_partner_reads_who_read_as_them(edge: Edge) -> None:
    answer = await edge.http.get("/status/acme/access.json?page_size=7", headers=BEARER)
    assert answer.json()["accesses"][0]["access_count"] == 7
    assert answer.json()["next_page_token"] == "more"
    assert answer.headers["cache-control"] == "private, no-store"
    assert (await edge.http.get("/status/acme/access.json")).status_code == 401
    for bad in ("x", "-1", "501", "٣"):
        assert (await edge.http.get(f"/status/acme/access.json?page_size={bad}", headers=BEARER)).status_code == 400


async def test_prometheus_reads_numbers_and_no_names(edge: Edge) -> None:
    await edge.http.get("/status/acme", headers=HTML | BEARER)
    await edge.http.get("/nowhere")
    text = (await edge.http.get("/metrics")).text
    assert 'oncall_gateway_requests_total{method="GET",route="/status/{slug}",status="200"} 1.0' in text
    assert 'route="other",status="404"' in text
    assert 'oncall_gateway_request_seconds_bucket{le="+Inf",route="/status/{slug}"} 1.0' in text
    assert 'oncall_gateway_request_seconds_count{route="/status/{slug}"} 1.0' in text
    assert "oncall_gateway_kept_pages 3.0" in text
    assert "oncall_gateway_watching 1.0" in text
    assert "acme" not in text


async def test_the_openapi_document_names_every_address(edge: Edge) -> None:
    answer = await edge.http.get("/openapi.json")
    assert answer.content == openapi.DOCUMENT
    named = set(json.loads(answer.content)["paths"])
    served = {route.path for route in edge.server.config.app.routes}  # type: ignore[union-attr]
    assert served - {"/assets/{name}"} <= named
