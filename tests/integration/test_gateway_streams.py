"""Live streams at the gateway, over real HTTP: what is told, until when, to whom, and how many may listen."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from gateway import refusal
from gateway.edge import event_stream
from gateway.edge.event_stream import Streams
from tests.integration.edge import BEARER, Edge, an_edge
from tests.waiting import eventually


async def lines(answer: httpx.Response, until: str) -> list[str]:
    found = []
    async with asyncio.timeout(20):
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
        async with asyncio.timeout(20):
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
            async with asyncio.timeout(20):
                assert "event: end" not in [line async for line in answer.aiter_lines()]
        assert (await edge.http.get("/readyz")).status_code == 503


async def test_a_stream_that_begins_while_the_gateway_stops_ends_at_once_and_is_not_refused(edge: Edge) -> None:
    """Of a refusal a browser makes an end for good; it asks again for a stream that was answered and has ended."""
    edge.streams.close()
    async with edge.http.stream("GET", "/status/acme/events?after=tag-1", headers=BEARER) as answer:
        assert answer.status_code == 200
        async with asyncio.timeout(20):
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
