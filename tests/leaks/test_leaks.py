"""Nobody learns anything of a page that they may not read: not by body, status, header, entity tag, feed or stream.

With ONCALL_TEST_LONG=1 everybody asks for everything in every way there is; without, each in one way on each route.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.routing import Mount, Route

from gateway.access_log import AccessLog
from tests.leaks.broken import BROKEN, FEED, SUMMARY, Broken, compose_first, stale_for_anybody
from tests.leaks.callers import UNKNOWN, WRONG, Carrier, Kind, Place
from tests.leaks.counted import counted
from tests.leaks.gateways import a_gateway
from tests.leaks.questions import VARIANTS, Question, by_turns, whole_product
from tests.leaks.routes import PAGE, UnknownRoute, Walked, walked_routes
from tests.leaks.walk import Walk, in_turn, neutral
from tests.leaks.world import World
from tests.rpc.conftest import a_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROWSER, PROGRAM, _ = VARIANTS


@pytest.mark.timeout(600)  # with everything in every way
async def test_who_may_not_read_learns_nothing_also_of_what_is_kept(
    world: World, walk: Walk, tmp_path: Path, log: io.StringIO
) -> None:
    some = [route for route in walk.gated if route.path in (PAGE, SUMMARY, FEED)]
    wrong = whole_product(some, WRONG, [Place.FULL], [BROWSER], [Carrier.HEADER])
    before = [neutral(await walk.ask(question), Place.FULL) for question in wrong]
    await walk.warm()
    assert [neutral(await walk.ask(question), Place.FULL) for question in wrong] == before
    whole = os.environ.get("ONCALL_TEST_LONG")
    assert await walk.pages(whole_product(walk.gated) if whole else by_turns(walk.gated)) == []
    assert await walk.pages(whole_product(some[:1], tuple(Kind), [Place.FULL, Place.MISSING], [BROWSER])) == []
    assert await walk.forms() == []
    assert await walk.others() == []
    assert _secrets_in(world, log.getvalue()) == 0
    assert "request" in log.getvalue()
    assert "GetStatusPage" in log.getvalue()
    kept = b"".join(file.read_bytes() for file in (tmp_path / "kept").iterdir())
    assert _secrets_in(world, kept.decode("latin-1")) == 0


async def test_what_takes_another_way_takes_the_same_time(walk: Walk) -> None:
    """The same calls and statements: what does not differ in what is done cannot differ in how long it takes."""
    assert await _told_by_time(walk) == {}


async def test_while_the_server_is_away_and_after_a_start_they_learn_nothing_either(
    world: World, own_database: str, tmp_path: Path
) -> None:
    token, folder = world.desk.gateway.token, tmp_path / "kept"
    redis_url = world.server.settings.redis_url.get_secret_value()
    async with a_server(own_database, redis_url) as server:
        async with a_gateway(server.address, token, folder) as gateway:
            walk = Walk(world, gateway)
            await walk.warm(PAGE, SUMMARY, FEED)
            await server.platform.server.stop(0)
            walk.away = True
            assert await _told_while_away(walk, PAGE, SUMMARY, FEED) == []
            with pytest.MonkeyPatch.context() as patch:
                stale_for_anybody(patch)
                assert await _told_while_away(walk, SUMMARY) != []
        async with a_gateway(server.address, token, folder, away=True) as gateway:
            walk = Walk(world, gateway, away=True)
            assert await _told_while_away(walk, SUMMARY, FEED) == []
            right = Question(_route(walk, SUMMARY), PROGRAM, Kind.RIGHT, Carrier.HEADER, Place.FULL)
            assert (await walk.ask(right)).header("oncall-stale-since")  # so there was something to be learnt


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
async def test_the_walk_finds_a_broken_gate(world: World, tmp_path: Path, broken: Broken) -> None:
    with broken.applied():
        async with a_gateway(world.server.address, world.desk.gateway.token, tmp_path, around=broken.around) as gateway:
            walk = Walk(world, gateway)
            found: list[str] = []
            for _ in range(3):  # a machine that stands still does not answer from what it keeps
                await walk.warm(broken.path)
                found = found or await walk.pages(broken.questions(walk))
            assert found != []


async def test_the_count_finds_a_page_that_is_looked_at_too_early(walk: Walk) -> None:
    with pytest.MonkeyPatch.context() as patch:
        compose_first(patch)
        assert await _told_by_time(walk) != {}


async def test_a_token_that_is_logged_is_found(world: World, walk: Walk, log: io.StringIO) -> None:
    question = Question(walk.gated[0], PROGRAM, Kind.RIGHT, Carrier.QUERY, Place.FULL)
    call = AccessLog.__call__

    async def telling(self, scope, receive, send):  # type: ignore[no-untyped-def]
        await call(self, scope | {"path": f"{scope['path']}?{scope['query_string'].decode()}"}, receive, send)

    log.seek(0)
    log.truncate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccessLog, "__call__", telling)
        await walk.ask(question)
    assert _secrets_in(world, log.getvalue()) == 1


async def test_a_route_that_nobody_knows_how_to_ask_for_is_an_error(walk: Walk) -> None:
    app, served = walk.gateway.app, list(walk.gateway.app.router.routes)
    for new in (
        Route(f"{PAGE}/new.json", lambda _: None),
        Route(f"{PAGE}/{{other}}", lambda _: None),
        Mount("/new", routes=[]),
    ):
        app.router.routes[:] = [*served, new]
        with pytest.raises(UnknownRoute):
            walked_routes(app)
    app.router.routes[:] = served


async def _told_by_time(walk: Walk) -> dict[str, list[list[str]]]:
    """Answers where asking for a page that is there takes other calls and statements than for one that is not."""
    carriers = list(Carrier)
    differing = {}
    for turn, kind in enumerate((Kind.NOBODY, Kind.PARTNER_OF_ANOTHER, *UNKNOWN)):
        for shift, path in enumerate((PAGE, SUMMARY, f"{PAGE}/events", f"{PAGE}/access.json")):
            question = Question(_route(walk, path), BROWSER, kind, carriers[(turn + shift) % 3], Place.FULL)
            for _ in range(3):  # a call that came too late was made again, and need not be the next time
                done = [await _done(walk, replace(question, place=place)) for place in (Place.FULL, Place.MISSING)]
                if done[0] == done[1] != []:
                    break
            else:
                differing[str(question)] = done
    return differing


async def _done(walk: Walk, question: Question) -> list[str]:
    with counted(walk.world, walk.gateway) as done:
        await walk.ask(question)
    return done


async def _told_while_away(walk: Walk, *paths: str) -> list[str]:
    """Answers who learns something; who is over their rate is none of them: nobody counts while the server is away."""
    asked = [
        question
        for question in by_turns([route for route in walk.gated if route.path in paths])
        if question.kind in WRONG and question.kind is not Kind.BUSY and question.owed
    ]
    wrong = []
    for question, answer in zip(asked, await in_turn(asked, walk.ask), strict=True):
        if told := walk.world.known.told(answer.text):
            wrong.append(f"{question}: tells {sorted(told)}")
        if answer.status not in (403, 503) or answer.header("etag"):
            wrong.append(f"{question}: {answer.status}")
    return wrong


def _route(walk: Walk, path: str) -> Walked:
    return next(route for route in walk.gated if route.path == path)


def _secrets_in(world: World, text: str) -> int:
    return sum(secret in text for secret in world.secrets)
