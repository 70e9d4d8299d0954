"""How requests come in and answers go out at the gateway, over real HTTP: credentials, sessions, headers, streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway import openapi, refusal
from gateway.asked import CredentialKind
from gateway.edge import event_stream
from gateway.edge.client_address import Proxies, parse_networks
from gateway.edge.event_stream import Streams
from gateway.edge.http_connection import LONGEST_HEAD, MOST_HEADERS, LimitedConnection
from gateway.shown import RateLimitLeft
from tests.integration.edge import BEARER, HTML, JSON, SESSION, TOKEN, Edge, an_edge
from tests.waiting import eventually

SUMMARY = "/status/acme/api/v2/summary.json"
COOKIE = {"cookie": f"oncall-session={SESSION}"}


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with an_edge() as serving:
        yield serving


# --- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "query", "kind", "value"),
    [
        ({}, "", CredentialKind.NONE, ""),
        (BEARER, "", CredentialKind.PARTNER_TOKEN, TOKEN),
        ({"authorization": "Basic Zm9vOmJhcg=="}, "", CredentialKind.PARTNER_TOKEN, ""),
        ({}, f"?token={TOKEN}", CredentialKind.PARTNER_OR_PAGE_TOKEN, TOKEN),
        ({}, "?token=", CredentialKind.PARTNER_OR_PAGE_TOKEN, ""),
        (COOKIE, f"?token={TOKEN}", CredentialKind.SESSION, SESSION),
        (BEARER | COOKIE, "?token=x", CredentialKind.PARTNER_TOKEN, TOKEN),
        ({"authorization": ""} | COOKIE, "", CredentialKind.PARTNER_TOKEN, ""),
        ({"cookie": f"__Secure-oncall-session={SESSION}"}, "", CredentialKind.NONE, ""),
    ],
)
async def test_credentials_count_in_their_order(
    edge: Edge, headers: dict[str, str], query: str, kind: CredentialKind, value: str
) -> None:
    await edge.http.get(SUMMARY + query, headers=headers)
    assert (edge.keep.asked[0].credential.kind, edge.keep.asked[0].credential.value) == (kind, value)


async def test_a_token_in_a_browsers_address_is_traded_and_taken_out_of_it(edge: Edge) -> None:
    answer = await edge.http.get(f"/status/acme?a=1&token={TOKEN}&b=%26", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/status/acme?a=1&b=%26")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"oncall-session={SESSION}; Max-Age=43")
    assert cookie.endswith("; Path=/status/acme; HttpOnly; SameSite=Lax")
    assert (await edge.http.get(answer.headers["location"], headers=HTML)).status_code == 200
    assert TOKEN not in str(answer.headers)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "private, no-store"


async def test_a_token_in_a_programs_address_is_used_as_it_is(edge: Edge) -> None:
    for path, headers in (("/status/acme", JSON), (SUMMARY, HTML)):
        answer = await edge.http.get(f"{path}?token={TOKEN}", headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
        assert answer.headers["cache-control"] == "private, no-store"


async def test_a_bad_token_in_a_browsers_address_shows_the_form(edge: Edge) -> None:
    answer = await edge.http.get("/status/acme?token=wrong", headers=HTML)
    assert answer.status_code == 401
    assert 'action="/status/acme/session"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_who_is_signed_in_stays_whom_they_are(edge: Edge) -> None:
    answer = await edge.http.get("/status/acme?token=wrong", headers=HTML | COOKIE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/status/acme")
    edge.keep.session_ended = True
    assert (await edge.http.get(f"/status/acme?token={TOKEN}", headers=HTML | COOKIE)).status_code == 303


async def test_a_session_that_is_not_known_counts_as_none_and_is_cleared(edge: Edge) -> None:
    edge.keep.session_ended = True
    private = await edge.http.get("/status/acme", headers=HTML | COOKIE)
    assert (private.status_code, "TOKEN_MISSING" in private.text) == (401, True)
    edge.keep.public = True
    public = await edge.http.get("/status/acme", headers=HTML | COOKIE)
    assert public.status_code == 200
    for answer in (private, public):
        assert answer.headers["set-cookie"].startswith("oncall-session=; Max-Age=0; Path=/status/acme;")
        assert answer.headers["cache-control"] == "private, no-store"


async def test_who_was_cut_off_hears_so_once_also_on_a_public_page(edge: Edge) -> None:
    edge.keep.public = True
    edge.keep.refused = refusal.forbidden("PARTNER_REVOKED")
    answer = await edge.http.get("/status/acme", headers=HTML | COOKIE)
    assert (answer.status_code, "PARTNER_REVOKED" in answer.text) == (403, True)
    assert "Max-Age=0" in answer.headers["set-cookie"]


# --- the sign-in form ------------------------------------------------------------------------------------------------


async def test_the_form_signs_in_and_out(edge: Edge) -> None:
    for sent in ({"data": {"token": TOKEN}}, {"json": {"token": f" {TOKEN} "}}):
        answer = await edge.http.post("/status/acme/session", headers={"sec-fetch-site": "same-origin"}, **sent)  # type: ignore[arg-type]
        assert (answer.status_code, answer.headers["location"]) == (303, "/status/acme")
        assert SESSION in answer.headers["set-cookie"]
    for method, path in (("DELETE", "/status/acme/session"), ("POST", "/status/acme/sign-out")):
        answer = await edge.http.request(method, path)
        assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (303, True)


@pytest.mark.parametrize(("language", "words"), [("en", "Sign out"), ("de", "Abmelden")])
async def test_who_is_signed_in_has_a_button_to_sign_out_that_needs_no_script(
    edge: Edge, language: str, words: str
) -> None:
    answer = await edge.http.get("/status/acme", headers=HTML | COOKIE | {"accept-language": language})
    form = f'<form class="sign-out" method="post" action="/status/acme/sign-out"><button>{words}</button></form>'
    assert (answer.status_code, form in answer.text) == (200, True)
    assert answer.headers["referrer-policy"] == "same-origin", "else older browsers would send an origin of null"


async def test_signing_out_ends_the_session_itself_and_not_only_the_cookie(edge: Edge) -> None:
    answer = await edge.http.post("/status/acme/sign-out", headers=HTML | COOKIE)
    assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (303, True)
    assert (await edge.http.get("/status/acme", headers=HTML | COOKIE)).status_code == 401, "a copy of the cookie"


async def test_who_is_not_signed_in_has_nothing_to_sign_out_of(edge: Edge) -> None:
    edge.keep.public = True
    for headers in (HTML, HTML | {"authorization": f"Bearer {TOKEN}"}):
        answer = await edge.http.get("/status/acme", headers=headers)
        assert (answer.status_code, "sign-out" in answer.text) == (200, False)
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_wrong_token_shows_the_form_again(edge: Edge) -> None:
    answer = await edge.http.post("/status/acme/session", headers=HTML, data={"token": "wrong"})
    assert (answer.status_code, "aria-invalid" in answer.text) == (401, True)
    other = await edge.http.post("/status/other/session", headers=HTML, data={"token": "wrong"})
    assert other.text.replace("/status/other", "/status/acme") == answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 303),
        ({}, 303),
    ],
)
async def test_only_a_form_of_our_own_counts(edge: Edge, headers: dict[str, str], status: int) -> None:
    for path in ("/status/acme/session", "/status/acme/sign-out"):
        answer = await edge.http.post(path, headers=headers, data={"token": TOKEN})
        assert (answer.status_code, "set-cookie" in answer.headers) == (status, status == 303)


async def test_the_forms_own_origin_counts_in_older_browsers(edge: Edge) -> None:
    own = {"origin": f"http://127.0.0.1:{edge.port}"}
    assert (await edge.http.post("/status/acme/session", headers=own, data={"token": TOKEN})).status_code == 303


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"token=x", 415),
        ("multipart/form-data; boundary=x", b"", 415),
        ("application/json", b"{", 400),
        ("application/json", b"[]", 400),
        ("application/json", b'{"token": 1}', 400),
        ("application/json", b'{"token": "\\ud800"}', 400),
        ("application/json", b"[" * 4000, 400),
        ("application/x-www-form-urlencoded", b"token=%ff", 400),
        ("application/x-www-form-urlencoded", b"", 400),
        ("application/x-www-form-urlencoded", b"token=" + b"x" * 5_000, 413),
    ],
)
async def test_bad_forms_are_refused(edge: Edge, kind: str, body: bytes, status: int) -> None:
    answer = await edge.http.post("/status/acme/session", headers={"content-type": kind}, content=body)
    assert answer.status_code == status


# --- headers ---------------------------------------------------------------------------------------------------------


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


# --- limits ----------------------------------------------------------------------------------------------------------


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
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


# --- events ----------------------------------------------------------------------------------------------------------


async def lines(answer: httpx.Response, until: str) -> list[str]:
    found = []
    async with asyncio.timeout(5):
        async for line in answer.aiter_lines():
            found.append(line)
            if line == until:
                break
    return found


async def test_changes_are_told_until_the_listener_is_cut_off(edge: Edge) -> None:
    async with edge.http.stream("GET", "/status/acme/events?after=tag-1", headers=BEARER) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "private, no-store"
        stream = answer.aiter_lines()
        async with asyncio.timeout(5):
            assert await anext(stream) == "retry: 5000"
            edge.keep.tag = "tag-2"
            edge.keep.changed.set()
            told = [await anext(stream) for _ in range(4)]
            assert told == ["", "id: tag-2", "event: page", "data: {}"]
            edge.keep.refused = refusal.forbidden("PARTNER_REVOKED")
            edge.keep.changed.set()
            assert [line async for line in stream] == ["", "event: end", "data: {}", ""]
    assert len(edge.streams) == 0


async def test_a_listener_who_missed_something_hears_at_once(edge: Edge) -> None:
    for headers, path in (({"last-event-id": "old"}, "?after=tag-1"), ({}, "")):
        async with edge.http.stream("GET", f"/status/acme/events{path}", headers=BEARER | headers) as answer:
            assert "id: tag-1" in await lines(answer, "event: page")


async def test_who_may_not_listen_is_refused_before_the_stream(edge: Edge) -> None:
    for slug in ("acme", "other"):
        answer = await edge.http.get(f"/status/{slug}/events", headers={"accept": "text/event-stream"})
        assert answer.status_code == 401
    assert len(edge.streams) == 0


async def test_that_many_listen_is_told_only_to_who_may_listen(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MOST_PER_PAGE", 0)
    wrong = {"authorization": "Bearer ocp_wrong"}
    assert (await edge.http.get("/status/acme/events", headers=wrong)).status_code == 401
    assert (await edge.http.get("/status/acme/events", headers=BEARER)).status_code == 503


async def test_streams_beat_are_limited_and_end_with_the_gateway() -> None:
    async with an_edge(streams=Streams(heartbeat_seconds=0.05, most_per_client=1)) as edge:
        async with edge.http.stream("GET", "/status/acme/events?after=tag-1", headers=BEARER) as answer:
            assert ":" in await lines(answer, ":")
            assert (await edge.http.get("/status/acme/events", headers=BEARER)).status_code == 429
        await eventually(lambda: _is_empty(edge.streams))
        async with edge.http.stream("GET", "/status/acme/events?after=tag-1", headers=BEARER) as answer:
            edge.streams.close()
            async with asyncio.timeout(5):
                assert "event: end" not in [line async for line in answer.aiter_lines()]
        assert (await edge.http.get("/readyz")).status_code == 503


async def test_a_stream_that_begins_while_the_gateway_stops_ends_at_once_and_is_not_refused(edge: Edge) -> None:
    """Of a refusal a browser makes an end for good; it asks again for a stream that was answered and has ended."""
    edge.streams.close()
    async with edge.http.stream("GET", "/status/acme/events?after=tag-1", headers=BEARER) as answer:
        assert answer.status_code == 200
        async with asyncio.timeout(5):
            assert [line async for line in answer.aiter_lines()] == ["retry: 5000", ""]
    assert (await edge.http.get("/status/acme/events")).status_code == 401
    assert len(edge.streams) == 0


async def test_a_stream_says_that_it_began_while_nobody_could_be_asked(edge: Edge) -> None:
    for since, told in ((None, None), (datetime(2026, 1, 31, 9, tzinfo=UTC), "2026-01-31T09:00:00Z")):
        edge.keep.stale_since = since
        async with edge.http.stream("GET", "/status/acme/events", headers=BEARER) as answer:
            assert answer.headers.get("oncall-stale-since") == told


async def test_who_waits_for_the_page_with_others_is_counted_before_the_stream_begins() -> None:
    async with an_edge(streams=Streams(most_per_client=1)) as edge:
        edge.keep.together = asyncio.Barrier(3)
        listening = [asyncio.create_task(_status_of_a_stream(edge)) for _ in range(3)]
        try:
            await eventually(lambda: _is_answered(listening, 2))
            assert [task.result() for task in listening if task.done()] == [429, 429]
            assert len(edge.streams) == 1
        finally:
            edge.streams.close()
            await asyncio.gather(*listening)


async def _status_of_a_stream(edge: Edge) -> int:
    async with edge.http.stream("GET", "/status/acme/events?after=tag-1", headers=BEARER) as answer:
        async for _ in answer.aiter_lines():
            pass
        return answer.status_code


async def _is_answered(tasks: list[asyncio.Task[int]], number: int) -> bool:
    return sum(task.done() for task in tasks) == number


async def _is_empty(streams: Streams) -> bool:
    return len(streams) == 0


# --- the rest --------------------------------------------------------------------------------------------------------


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
