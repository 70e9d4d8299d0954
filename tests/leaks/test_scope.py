"""Who may read is told all that is theirs and nothing else, and hears of nothing that is done to hidden things."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from gateway.representations.badge import GROUNDS
from oncall.v1 import partner_pb2, partner_service_pb2
from tests.leaks.broken import SUMMARY
from tests.leaks.callers import Carrier, Kind, Place
from tests.leaks.canaries import word
from tests.leaks.furnished import DEGRADED, MAJOR
from tests.leaks.gateways import Answer
from tests.leaks.questions import REPORT, VARIANTS, Question
from tests.leaks.routes import PAGE, Walked
from tests.leaks.walk import Walk
from tests.leaks.world import HERE, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROWSER, PROGRAM, _ = VARIANTS
BADGE = f"{PAGE}/badge.svg"


@pytest.mark.parametrize("place", [Place.FULL, Place.OPEN], ids=lambda place: place.value)
async def test_readers_are_told_all_that_is_theirs_and_nothing_else(walk: Walk, place: Place) -> None:
    readers = [Kind.RIGHT, Kind.NARROW, Kind.PAGE_TOKEN, *([Kind.NOBODY] if place is Place.OPEN else [])]
    for kind in readers:
        told: set[str] = set()
        for answer in (await read(walk, kind, place)).values():
            told |= walk.world.known.told(answer.text)
        assert told == {one for one in walk.world.may_be_told(kind, place) if not one.startswith("ocp_")}


async def test_a_scope_has_a_headline_and_a_colour_of_its_own(walk: Walk) -> None:
    whole, narrow = [await read(walk, kind, Place.FULL) for kind in (Kind.RIGHT, Kind.NARROW)]
    assert b'"indicator":"none"' in narrow[SUMMARY].body
    assert b'"indicator":"none"' not in whole[SUMMARY].body
    assert GROUNDS[partner_pb2.HEADLINE_INDICATOR_NONE].encode() in narrow[BADGE].body
    assert GROUNDS[partner_pb2.HEADLINE_INDICATOR_NONE].encode() not in whole[BADGE].body


async def test_nothing_that_is_done_to_hidden_things_is_heard_of_in_any_representation(walk: Walk) -> None:
    """Byte for byte, headers and tags among it, and on a day that does not end meanwhile."""
    for _ in range(2):
        today = datetime.now(UTC).date()
        whole, narrow = [await read(walk, kind, Place.FULL) for kind in (Kind.RIGHT, Kind.NARROW)]
        await _act(walk.world)
        whole_then, narrow_then = [await read(walk, kind, Place.FULL) for kind in (Kind.RIGHT, Kind.NARROW)]
        if today == datetime.now(UTC).date():
            break
    assert narrow_then == narrow
    assert sum(whole_then[path] != whole[path] for path in whole) >= 8


async def test_a_stream_tells_a_scope_of_its_own_changes_alone(walk: Walk) -> None:
    world, page = walk.world, walk.world.pages[Place.FULL]
    async with _listening(walk, Kind.RIGHT) as whole, _listening(walk, Kind.NARROW) as narrow:
        first = [await anext(whole), await anext(narrow)]
        await _act(world)
        heard = await anext(whole)
        assert heard != first[0]
        said = page.furniture.new()
        page.furniture.seen.add((await page.desk.sets(page.seen_id, description=said)).id)
        tags = {await anext(narrow)}
        current = await walk.ask(Question(_route(walk, PAGE), BROWSER, Kind.NARROW, Carrier.HEADER, Place.FULL))
        assert first[1] not in tags
        assert all(f'data-tag="{tag}"' in current.text for tag in tags)


async def test_who_is_cut_off_is_told_nothing_that_they_were_told_a_moment_before(walk: Walk) -> None:
    """Revoked, rotated, moved to another address: nothing kept is shown, whatever is asked for."""
    world, page = walk.world, walk.world.pages[Place.FULL]
    desk, routes = page.desk, [route for route in walk.gated if route.path != REPORT]
    revoked, moved = [await desk.a_partner(page.page, name=word()) for _ in range(2)]
    for partner in (revoked, moved):
        for route in routes:
            answer = await _with_token(walk, route.at(page.page.slug), partner.token)
            assert answer.status == 200
    await desk.revoke(revoked)
    change = partner_service_pb2.UpdatePartnerRequest(
        partner=partner_pb2.Partner(id=moved.id, ip_allowlist=["192.0.2.1"])
    )
    change.update_mask.paths.append("ip_allowlist")
    await desk.partners.UpdatePartner(change, metadata=desk.team.author.metadata)
    for partner, reason in ((revoked, b"PARTNER_REVOKED"), (moved, b"IP_NOT_ALLOWED")):
        for route in routes:
            answer = await _with_token(walk, route.at(page.page.slug), partner.token)
            assert (answer.status, reason in answer.body, world.known.told(answer.text)) == (403, True, set())


async def read(walk: Walk, kind: Kind, place: Place) -> dict[str, Answer]:
    """Answers all that a reader is shown, by route and, of the page itself, once more as a program; but no report."""
    carrier = Carrier.COOKIE if kind is Kind.PAGE_TOKEN else Carrier.HEADER
    questions = [Question(route, BROWSER, kind, carrier, place) for route in walk.gated if route.path != REPORT]
    answers = {question.route.path: await walk.ask(question) for question in questions}
    assert {answer.status for answer in answers.values()} == {200}
    return answers


async def _act(world: World) -> None:
    """Does to hidden things what can be done to them; who sees everything is told other words."""
    page = world.pages[Place.FULL]
    desk, new = page.desk, lambda: page.furniture.new(hidden=True)
    said = await desk.says(page.hidden_incident, new(), impacts={page.hidden_id: DEGRADED})
    told = [said, await desk.an_incident(page.page, {page.hidden_id: MAJOR}, title=new(), description=word())]
    await desk.sets(page.hidden_id, description=new())
    maintenance = await desk.a_maintenance(page.page, page.hidden_id)
    for one in (*told, maintenance):
        page.furniture.hidden.update((one.id, *(update.id for update in one.updates)))


async def _with_token(walk: Walk, path: str, token: str) -> Answer:
    for _ in range(8):
        answer = await walk.gateway.ask("GET", path, headers={"authorization": f"Bearer {token}"})
        if answer.status != 503 and not answer.header("oncall-stale-since"):
            break
    return answer


@asynccontextmanager
async def _listening(walk: Walk, kind: Kind) -> AsyncIterator[AsyncIterator[str]]:
    """Yields the tags that a stream tells, one per event."""
    token = walk.world.held(kind, Place.FULL).token
    path, client = f"/status/{Place.FULL.value}/events", walk.gateway.clients[HERE]
    async with client.stream("GET", path, headers={"authorization": f"Bearer {token}"}) as answer:
        assert answer.status_code == 200
        yield _tags(answer)


async def _tags(answer: httpx.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            yield line.removeprefix("id: ")


def _route(walk: Walk, path: str) -> Walked:
    return next(route for route in walk.gated if route.path == path)
