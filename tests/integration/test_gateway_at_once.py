"""What is answered at once is what would have been answered anyhow, byte for byte, and as soon as not, no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from gateway.edge.reading import HEADERS
from gateway.edge.represented import REPRESENTATIONS
from oncall.v1 import partner_service_pb2 as pb
from tests.integration.told_twice import NOON, Worlds, asking, field_of, status_of, told, two_worlds, written
from tests.unit.gateway.keep.scripted_server import Known
from tests.waiting import eventually

PATHS = [one.path for one in REPRESENTATIONS]
AUDIENCES = {
    "nobody": {},
    "a partner": {"authorization": "Bearer good"},
    "another partner": {"authorization": "Bearer other"},
    "the page's token": {"query": "token=page"},
    "who is signed in": {"cookie": "oncall-session=good"},
    "who has a cookie that is worth nothing": {"cookie": "oncall-session=bad"},
    "who guesses": {"authorization": "Bearer bad"},
}
A_LIMIT = {"limit": 600, "remaining": 500, "granted": 50}


def a_limit() -> pb.RateLimit:
    limit = pb.RateLimit(**A_LIMIT)
    limit.reset_after.seconds = 30
    return limit


async def everything(worlds: Worlds) -> int:
    """Asks for every representation as everybody, under every condition, and again; answers how many were shown."""
    shown = 0
    for path in PATHS:
        for audience in AUDIENCES.values():
            for accept in ("text/html", "application/json") if not path else ("*/*",):
                (first,) = await worlds.ask(asking(path, accept=accept, accept_language="de", **audience))
                tag = field_of(first, "etag") or '"none"'
                held = [tag, f'"x", W/{tag}', '"x"', "*"]
                requests = [asking(path, accept=accept, if_none_match=one, **audience) for one in held]
                again = await worlds.ask(*requests, *requests)
                shown += sum(status_of(answer) in (200, 304) for answer in again)
    return shown


@pytest.mark.parametrize("public", [False, True])
async def test_everything_is_told_as_the_application_tells_it(public: bool) -> None:
    async with two_worlds(public=public) as worlds:
        shown = await everything(worlds)
        assert worlds.quick.at_once > shown / 3  # of two that are the same, the second one at least
        assert worlds.slow.at_once == 0
        records = [await recorded(world.port) for world in (worlds.quick, worlds.slow)]
        assert records[0] == records[1]
        await worlds.recorded()
        assert worlds.quick.server.recorded == worlds.slow.server.recorded


async def test_what_is_left_of_a_rate_is_told_as_it_is() -> None:
    async with two_worlds(limit=a_limit()) as worlds:
        request = asking("/api/v2/summary.json", authorization="Bearer good")
        answers = await worlds.ask(*[request] * 120)
        left = [int(field_of(answer, "ratelimit-remaining")) for answer in answers]
        assert left[:3] == [550, 549, 548]
        assert worlds.quick.at_once > 100
        worlds.time.ahead += 0.4
        assert field_of((await worlds.ask(request))[0], "ratelimit-reset") == "30"
        worlds.time.ahead += 20
        for answer in await worlds.ask(*[request] * 5):
            assert field_of(answer, "ratelimit-limit") == "600"


async def revoked(worlds: Worlds) -> None:
    for world in worlds.both:
        world.server.credentials["good"].refused = "PARTNER_REVOKED"
    await worlds.change(revoked_partner_ids=["partner-1"])


async def ended(worlds: Worlds) -> None:
    for world in worlds.both:
        world.server.credentials["good"].refused = "PARTNER_REVOKED"
    await worlds.change(ended_token_ids=["token-1"])


async def narrowed(worlds: Worlds) -> None:
    for world in worlds.both:
        world.server.titles["partner-1"] = "Less"
    await worlds.change()


async def elsewhere(worlds: Worlds) -> None:
    for world in worlds.both:
        world.server.credentials["good"].refused = "IP_NOT_ALLOWED"
    await worlds.change()


async def expired(worlds: Worlds) -> None:
    for world in worlds.both:
        world.server.credentials["good"].refused = "PARTNER_EXPIRED"
    worlds.time.ahead += 60


async def away(worlds: Worlds) -> None:
    """The server is gone, and nothing that is kept may be repeated."""
    for world in worlds.both:
        world.server.away = True
        world.server.end_streams()

        async def unwatched(world=world) -> bool:  # type: ignore[no-untyped-def]
            return not world.keeper.shelf.lease.holds()

        await eventually(unwatched)
    worlds.time.ahead += 90


@pytest.mark.parametrize(
    ("happens", "status"),
    [(revoked, 403), (ended, 403), (narrowed, 200), (elsewhere, 403), (expired, 403), (away, 200)],
)
async def test_what_ends_an_access_or_a_page_ends_it_on_the_next_request(
    happens: Callable[[Worlds], object], status: int
) -> None:
    ends_at = NOON + timedelta(seconds=60)
    credentials = {"good": Known("partner-1", "token-1", ends_at=ends_at if happens is expired else None)}
    async with two_worlds(credentials=credentials) as worlds:
        page = asking(accept="text/html", authorization="Bearer good")
        summary = asking("/api/v2/summary.json", authorization="Bearer good")
        before = await worlds.ask(page, summary, page, summary)
        assert [status_of(answer) for answer in before] == [200] * 4
        assert worlds.quick.at_once == 2
        await happens(worlds)  # type: ignore[misc]
        after = await worlds.ask(page, summary)
        assert worlds.quick.at_once == (3 if happens is narrowed else 2)  # what is new may be told again
        assert [status_of(answer) for answer in after] == [status] * 2
        if happens is narrowed:
            assert json.loads(after[1].partition(b"\r\n\r\n")[2])["page"]["name"] == "Less"
        if happens is away:
            assert field_of(after[0], "age") == "90"


async def test_a_header_that_is_not_looked_at_changes_nothing_and_one_that_is_makes_another_request() -> None:
    async with two_worlds() as worlds:
        plain = {"host": "a", "authorization": "Bearer good"}
        known = {name.decode(): "x" for name in HEADERS - {b"host", b"authorization"}}
        await worlds.ask(written("/status/acme", plain))
        await worlds.ask(written("/status/acme", plain | {"x-request-id": "1", "sec-fetch-site": "cross-site"}))
        assert worlds.quick.at_once == 1
        for name, value in known.items():
            await worlds.ask(written("/status/acme", plain | {name: value}))
            assert worlds.quick.at_once == 1, name
        await worlds.ask(written("/status/acme", plain | {"authorization": "Bearer other"}))
        await worlds.ask(written("/status/acme", plain | {"host": "b"}))
        await worlds.ask(written("/status/acme?x=1", plain))
        await worlds.ask(written("/status/acme/badge.svg", plain))
        assert worlds.quick.at_once == 1


async def test_requests_in_line_are_answered_in_their_order_and_a_connection_is_closed_where_that_is_asked() -> None:
    async with two_worlds() as worlds:
        paths = ["/api/v2/summary.json", "/api/v2/status.json"]
        quick, last = [asking(path, authorization="Bearer good") for path in paths]
        slow = written("/livez", {"host": "a"})
        await worlds.ask(quick, last)
        for line in ([quick, last] * 200, [slow, quick, last] * 200, [quick, slow] * 200):
            answers = [await told(world.port, *line, together=True) for world in worlds.both]
            assert answers[0] == answers[1]
        for request in (
            asking(paths[0], authorization="Bearer good", connection="close"),
            written(f"/status/acme{paths[0]}", {"host": "status.example", "authorization": "Bearer good"}, "1.0"),
        ):
            for answer in (await worlds.ask(request), await worlds.ask(request)):
                assert field_of(answer[0], "connection") == "close"
        assert worlds.quick.at_once > 800


async def test_an_answer_has_the_date_of_the_second_in_which_it_is_given() -> None:
    async with two_worlds() as worlds, httpx.AsyncClient(headers={"authorization": "Bearer good"}) as http:
        dates = set()

        async def another_date() -> bool:
            dates.add((await http.get(f"http://127.0.0.1:{worlds.quick.port}/status/acme")).headers["date"])
            return len(dates) > 1

        await eventually(another_date)
        assert worlds.quick.at_once > 1


async def test_an_access_that_ends_in_a_mistake_of_ours_counts_no_more_often_than_it_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistaken(*_: object) -> None:
        raise ValueError("a mistake of ours")

    async with two_worlds() as worlds:
        request = asking(authorization="Bearer good")
        with monkeypatch.context() as patch:
            patch.setattr("gateway.answers.page", mistaken)
            for _ in range(3):
                assert status_of((await worlds.ask(request))[0]) == 500
        await worlds.recorded()
        assert worlds.quick.server.recorded == worlds.slow.server.recorded


async def recorded(port: int) -> list[str]:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    return [line for line in text.splitlines() if line.startswith("oncall_gateway_requests_total")]
