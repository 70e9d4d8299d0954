"""The gateway's own process over real HTTP, in front of a real server and its database."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from oncall.v1 import partner_service_pb2 as pb
from oncall.v1 import status_page_pb2
from tests.builders import a_person, a_team
from tests.rpc.conftest import RunningServer, a_server
from tests.status_pages import PUBLIC, KnownPartner, StatusPageDesk
from tests.waiting import eventually

JSON = {"accept": "application/json"}
GARBAGE = "ocp_garbage-that-nobody-was-ever-given"


@dataclass(slots=True)
class Gateway:
    """A running gateway process."""

    process: asyncio.subprocess.Process
    address: str
    log: Path
    http: httpx.AsyncClient

    async def get(self, slug: str, token: str | None = None, *, as_json: bool = False) -> httpx.Response:
        headers = JSON if as_json else {}
        if token is not None:
            headers = {**headers, "authorization": f"Bearer {token}"}
        return await self.http.get(f"/status/{slug}", headers=headers)


@dataclass(frozen=True, slots=True)
class Site:
    """A page with a component, its partner, and the gateway before it."""

    server: RunningServer
    desk: StatusPageDesk
    page: status_page_pb2.StatusPage
    partner: KnownPartner
    gateway: Gateway


def environment(folder: Path, server_address: str, token: str, listen: str = "127.0.0.1:0") -> dict[str, str]:
    token_file = folder / "gateway.token"
    token_file.write_text(token)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ONCALL_")}
    return inherited | {
        "ONCALL_GATEWAY_LISTEN": listen,
        "ONCALL_SERVER_ADDRESS": server_address,
        "ONCALL_GATEWAY_TOKEN_FILE": str(token_file),
        "ONCALL_READY_FILE": str(folder / "ready.json"),
    }


@asynccontextmanager
async def a_gateway(folder: Path, server_address: str, token: str, **more: str | Path) -> AsyncIterator[Gateway]:
    """Runs one until the end of the block; `more` are further variables of its environment."""
    ready, log = folder / "ready.json", folder / "gateway.log"
    with log.open("w") as errors:
        told = environment(folder, server_address, token) | {name: str(value) for name, value in more.items()}
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", env=told, stderr=errors)
    try:

        async def is_ready() -> bool:
            assert process.returncode is None, log.read_text()
            return ready.exists()

        await eventually(is_ready, within=60)  # a Python that imports, on a busy machine
        address = json.loads(ready.read_text())["address"]
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=20) as http:
            yield Gateway(process, address, log, http)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def site(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with a_server(database_url, redis_url) as server:
        gateway_account = await a_person(server.sessions, service_account="gateway")
        desk = StatusPageDesk(server.channel, server.sessions, await a_team(server.sessions), gateway_account)
        page = await desk.a_page(slug="acme", name="Acme & Sons")
        await desk.a_component(page, "Card payments", status=status_page_pb2.COMPONENT_STATUS_PARTIAL_OUTAGE)
        await desk.a_component(page, "Refunds", position=1)
        partner = await desk.a_partner(page, name="Northwind")
        async with a_gateway(tmp_path, server.address, gateway_account.token) as gateway:
            yield Site(server, desk, page, partner, gateway)


async def test_a_partner_reads_the_page_as_html(site: Site) -> None:
    answer = await site.gateway.get("acme", site.partner.token)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for expected in ("Acme &amp; Sons", "Minor Service Outage", "Card payments", "Partial outage", "Northwind"):
        assert expected in answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers


async def test_a_partner_reads_the_page_as_json_with_the_same_truth(site: Site) -> None:
    answer = await site.gateway.get("acme", site.partner.token, as_json=True)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"page", "components", "incidents", "scheduled_maintenances", "status"}
    assert body["status"] == {"indicator": "minor", "description": "Minor Service Outage"}
    assert body["page"]["url"] == f"http://{site.gateway.address}/status/acme"
    assert body["page"]["updated_at"].endswith("Z")
    assert len(body["page"]["updated_at"]) == len("2026-01-31T09:00:00.000Z")
    assert [component["status"] for component in body["components"]] == ["partial_outage", "operational"]
    assert answer.headers["cache-control"] == "private, no-store"


async def test_the_stylesheet_of_a_page_is_there_and_may_be_kept(site: Site) -> None:
    page = await site.gateway.get("acme", site.partner.token)
    path = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = await site.gateway.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("as_json", [False, True])
async def test_without_a_good_token_it_is_401_whether_the_page_exists_or_not(site: Site, as_json: bool) -> None:
    for token in (None, GARBAGE, "x", "two words"):
        found = await site.gateway.get("acme", token, as_json=as_json)
        missing = await site.gateway.get("nope", token, as_json=as_json)  # as long as acme: the form names its page
        assert (found.status_code, found.text) == (401, missing.text.replace("/nope/", "/acme/"))
        assert told(found) == told(missing)
        assert found.headers["www-authenticate"].startswith("Bearer")


async def test_a_partner_of_another_page_cannot_tell_it_from_no_page(site: Site) -> None:
    stranger = await site.desk.a_partner(await site.desk.a_page())
    for as_json in (False, True):
        found = await site.gateway.get("acme", stranger.token, as_json=as_json)
        missing = await site.gateway.get("no-such-page", stranger.token, as_json=as_json)
        assert (found.status_code, found.content, told(found)) == (404, missing.content, told(missing))


async def test_who_is_known_and_may_not_read_hears_why(site: Site) -> None:
    page = site.page
    revoked, expired = await site.desk.a_partner(page), await site.desk.a_partner(page)
    elsewhere = await site.desk.a_partner(page, ip_allowlist=["198.51.100.0/24"])
    await site.desk.revoke(revoked)
    await site.desk.expire(expired)
    for partner, reason in (
        (revoked, "PARTNER_REVOKED"),
        (expired, "PARTNER_EXPIRED"),
        (elsewhere, "IP_NOT_ALLOWED"),
    ):
        answer = await site.gateway.get("acme", partner.token, as_json=True)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (403, reason)
        assert set(answer.json()) == {"error"}
        assert set(answer.json()["error"]) == {"reason", "message"}
        html = await site.gateway.get("acme", partner.token)
        assert (html.status_code, reason in html.text, "Card payments" in html.text) == (403, True, False)


async def test_forwarded_headers_move_nobody_to_an_allowed_address(site: Site) -> None:
    partner = await site.desk.a_partner(site.page, ip_allowlist=["198.51.100.7"])
    local = await site.desk.a_partner(site.page, ip_allowlist=["127.0.0.1"])
    spoofed = {
        "x-forwarded-for": "198.51.100.7",
        "x-real-ip": "198.51.100.7",
        "forwarded": "for=198.51.100.7",
        "authorization": f"Bearer {partner.token}",
    }
    assert (await site.gateway.http.get("/status/acme", headers=spoofed)).status_code == 403
    spoofed["authorization"] = f"Bearer {local.token}"
    assert (await site.gateway.http.get("/status/acme", headers=spoofed)).status_code == 200


async def test_a_revocation_holds_from_the_next_request_on(site: Site) -> None:
    assert (await site.gateway.get("acme", site.partner.token)).status_code == 200
    await site.desk.revoke(site.partner)
    assert (await site.gateway.get("acme", site.partner.token)).status_code == 403


async def test_a_token_that_was_let_in_before_its_rotation_is_refused_once_the_grace_period_is_over(site: Site) -> None:
    async def watching() -> bool:
        return "oncall_gateway_watching 1.0" in (await site.gateway.http.get("/metrics")).text

    await eventually(watching)
    assert (await site.gateway.get("acme", site.partner.token)).status_code == 200
    request = pb.RotatePartnerTokenRequest(partner_id=site.partner.id, grace_period=Duration(seconds=1))
    rotated = await site.desk.partners.RotatePartnerToken(request, metadata=site.desk.team.author.metadata)

    async def refused() -> bool:
        return (await site.gateway.get("acme", site.partner.token)).status_code == 403

    await asyncio.gather(*(site.gateway.get("acme", rotated.token) for _ in range(5)))  # brings what both are shown
    await eventually(refused)
    assert rotated.old_token.expires_at.ToDatetime(UTC) <= datetime.now(UTC)


async def test_who_asks_too_often_is_told_when_to_come_back(site: Site) -> None:
    partner = await site.desk.a_partner(site.page, requests_per_minute=1)
    await site.gateway.get("acme", partner.token)
    answer = await site.gateway.get("acme", partner.token, as_json=True)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_everybody_reads_a_public_page(site: Site) -> None:
    page = await site.desk.a_page(PUBLIC)
    answer = await site.gateway.get(page.slug)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=10")
    assert (await site.gateway.get(page.slug, GARBAGE)).status_code == 401
    basic = await site.gateway.http.get(f"/status/{page.slug}", auth=("somebody", "password"))
    assert basic.status_code == 401


async def test_addresses_and_methods_that_are_not_served_are_refused_in_the_form_asked_for(site: Site) -> None:
    unknown = await site.gateway.http.get("/nowhere", headers=JSON)
    assert (unknown.status_code, unknown.json()["error"]["reason"]) == (404, "NOT_FOUND")
    posted = await site.gateway.http.post("/status/acme", headers=JSON)
    assert (posted.status_code, posted.json()["error"]["reason"]) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in posted.headers["allow"]


async def test_without_the_server_it_is_503_and_says_when_to_come_back(site: Site) -> None:
    assert (await site.gateway.http.get("/readyz")).status_code == 200
    await site.server.platform.server.stop(0)
    for token in (site.partner.token, None):
        answer = await site.gateway.get("acme", token, as_json=True)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
    assert (await site.gateway.http.get("/readyz")).status_code == 503
    assert (await site.gateway.http.get("/livez")).status_code == 200


async def test_a_gateway_whose_own_token_is_refused_blames_no_partner(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "misconfigured"
    folder.mkdir()
    for token in ("oct_nonsense", site.desk.team.author.token):
        async with a_gateway(folder, site.server.address, token) as gateway:
            assert (await gateway.get("acme", site.partner.token)).status_code == 503
        (folder / "ready.json").unlink()


async def test_no_token_is_ever_logged(site: Site) -> None:
    await site.gateway.get("acme", site.partner.token)
    await site.gateway.http.get(f"/status/acme?token={site.partner.token}")

    async def logged() -> bool:  # a line is written when its answer has gone
        return site.gateway.log.read_text().count("/status/acme") == 2

    await eventually(logged)
    log = site.gateway.log.read_text()
    assert site.partner.token not in log
    assert "token=" not in log
    assert site.desk.gateway.token not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_soon_also_while_connections_are_kept_open(site: Site, number: signal.Signals) -> None:
    host, port = site.gateway.address.split(":")
    _, half_sent = await asyncio.open_connection(host, int(port))
    half_sent.write(b"GET /livez HTTP/1.1\r\nHost:")
    assert (await site.gateway.http.get("/livez")).status_code == 200  # and its connection stays open
    began = time.monotonic()
    site.gateway.process.send_signal(number)
    assert await asyncio.wait_for(site.gateway.process.wait(), 30) == 0
    assert time.monotonic() - began < 8  # the head that does not come is waited for ten seconds
    half_sent.close()


async def test_a_busy_port_is_one_sentence(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    variables = environment(folder, site.server.address, "oct_x", site.gateway.address)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=variables, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode().count("\n") == 1
    assert f"cannot listen on {site.gateway.address}" in errors.decode()


def told(answer: httpx.Response) -> dict[str, str]:
    """Answers all headers but the time."""
    return {name: value for name, value in answer.headers.items() if name != "date"}
