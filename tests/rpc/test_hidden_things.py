"""What a partner does not see changes nothing that they are told: not a status, a number, a time, an order or a tag.

Whatever is done to hidden things, in whatever order: the answer of whoever does not see them stays the same, byte for
byte, at one and the same moment. The one number that may differ is never shown.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from oncall.v1 import incident_pb2, incident_service_pb2, maintenance_pb2, status_page_pb2, status_page_service_pb2
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from server.operations.compose_page import compose_page, snapshot
from server.rpc.conversion import time_to_pb
from server.rpc.shown_page_conversion import content_tag, shown_page_to_pb
from server.storage import status_pages
from tests.status_pages import StatusPageDesk, names

DEGRADED = status_page_pb2.COMPONENT_STATUS_DEGRADED_PERFORMANCE
PARTIAL = status_page_pb2.COMPONENT_STATUS_PARTIAL_OUTAGE
MAJOR = status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE
BAD = (DEGRADED, PARTIAL, MAJOR)
MOMENT = timedelta(minutes=10)
"""So much later is the moment at which all answers are computed: nothing that the test does comes after it."""


class TwoSides:
    """A page with a group and single components, of each of which one is seen and one is hidden."""

    def __init__(self, desk: StatusPageDesk, seed: int) -> None:
        self.desk = desk
        self.at = datetime.now(UTC) + MOMENT
        self.random = random.Random(seed)  # noqa: S311 - repeats the order, guards nothing

    async def prepare(self) -> None:
        desk = self.desk
        self.page = await desk.a_page(time_zone="Europe/Berlin")
        self.group = await desk.a_component(self.page, "Group", group=True)
        self.seen = (await desk.a_component(self.page, "Seen", group_id=self.group.id)).id
        self.hidden = (await desk.a_component(self.page, "Hidden", group_id=self.group.id)).id
        self.other = (await desk.a_component(self.page, "Other")).id
        self.both = await desk.an_incident(self.page, {self.seen: PARTIAL, self.hidden: MAJOR}, title="Of both")
        self.theirs = await desk.an_incident(self.page, {self.hidden: MAJOR}, title="Of hidden things")
        self.work = await desk.a_maintenance(self.page, self.seen, self.hidden)
        await desk.a_maintenance(self.page, self.group.id)

    async def answer(self, *scope: str) -> GetStatusPageResponse:
        async with snapshot(self.desk.sessions) as session:
            page = await status_pages.find(session, UUID(self.page.id))
            assert page is not None
            shown = await compose_page(session, page, frozenset(map(UUID, scope)), self.at)
        content = shown_page_to_pb(shown)
        tag = content_tag(content)
        content.MergeFrom(
            GetStatusPageResponse(
                content_tag=tag, page_version=shown.version, content_expires_at=time_to_pb(shown.expires_at)
            )
        )
        return content

    def hidden_acts(self) -> list[Callable[[], Awaitable[Any]]]:
        """Answers what can be done to hidden things, each with other values every time."""
        desk, pick = self.desk, self.random.choice
        return [
            lambda: desk.sets(self.hidden, status=pick(BAD)),
            lambda: desk.sets(self.other, status=pick(BAD), name=f"Other {self.random.random()}", position=0),
            lambda: desk.reports(self.hidden, pick(BAD), seconds=pick([10, 3600])),
            lambda: desk.an_incident(self.page, {self.hidden: pick(BAD), self.other: pick(BAD)}),
            lambda: desk.says(self.theirs, status=pick([incident_pb2.INCIDENT_STATUS_IDENTIFIED, 0])),
            self._resolve_theirs,
            lambda: desk.a_maintenance(self.page, self.hidden, self.other),
            lambda: desk.changes(self.work.id, component_ids=[self.seen, pick([self.hidden, self.other])]),
            lambda: desk.a_component(self.page, "New"),
            self._acknowledge,
            self._rotate,
        ]

    async def _resolve_theirs(self) -> None:
        await self.desk.resolves(self.theirs)

    async def _acknowledge(self) -> None:
        request = incident_service_pb2.AcknowledgeIncidentRequest(incident_id=self.both.id)
        await self.desk.incidents.AcknowledgeIncident(request, metadata=self.desk.team.responder.metadata)

    async def _rotate(self) -> None:
        request = status_page_service_pb2.RotatePageTokenRequest(status_page_id=self.page.id)
        await self.desk.pages.RotatePageToken(request, metadata=self.desk.team.author.metadata)


def without_version(answer: GetStatusPageResponse) -> bytes:
    copy = GetStatusPageResponse()
    copy.CopyFrom(answer)
    copy.page_version = 0
    return copy.SerializeToString(deterministic=True)


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_that_is_done_to_hidden_things_shines_through(desk: StatusPageDesk, seed: int) -> None:
    world = TwoSides(desk, seed)
    await world.prepare()
    before, all_before = await world.answer(world.seen), await world.answer()
    told = {without_version(all_before)}
    for act in world.random.sample(world.hidden_acts(), k=11):
        await act()
        assert without_version(await world.answer(world.seen)) == without_version(before)
        told.add(without_version(await world.answer()))
    assert len(told) > 8  # it is another page for who sees all of it
    assert (await world.answer(world.seen)).page_version > before.page_version


async def test_what_is_seen_does_shine_through(desk: StatusPageDesk) -> None:
    world = TwoSides(desk, 0)
    await world.prepare()
    tags = [(await world.answer(world.seen)).content_tag]
    acts: list[Callable[[], Awaitable[Any]]] = [
        lambda: desk.sets(world.seen, status=MAJOR),
        lambda: desk.says(world.both),
        lambda: desk.changes(world.work.id, component_ids=[world.hidden]),
        lambda: desk.an_incident(world.page, {world.seen: DEGRADED, world.hidden: MAJOR}),
        lambda: desk.an_incident(world.page, title="Of nothing at all"),
        lambda: desk.sets(world.group.id, name="A name for everybody"),
    ]
    for act in acts:
        await act()
        tags.append((await world.answer(world.seen)).content_tag)
    assert len(set(tags)) == len(tags)


async def test_a_scope_sees_the_part_of_each_thing_that_is_about_it(desk: StatusPageDesk) -> None:
    world = TwoSides(desk, 0)
    await world.prepare()
    await desk.says(world.both, impacts={world.hidden: DEGRADED})
    answer = await world.answer(world.seen)
    assert names(answer.components) == ["Group", "Seen"]
    assert {component.status for component in answer.components} == {PARTIAL}
    (incident,) = answer.incidents
    assert (incident.title, len(incident.updates)) == ("Of both", 2)
    assert [impact.component_id for impact in incident.components] == [world.seen]
    assert [list(update.impact_changes) != [] for update in incident.updates] == [False, True]
    assert [list(maintenance.component_ids) for maintenance in answer.maintenances] == [[world.seen]] * 2
    assert incident.id in answer.uptimes[1].days[-1].incident_ids
    assert answer.uptimes[0].available_millionths == answer.uptimes[1].available_millionths < 1_000_000
    whole = await world.answer()
    assert {one.title for one in whole.incidents} == {"Of both", "Of hidden things"}
    assert [one.status for one in whole.maintenances] == [maintenance_pb2.MAINTENANCE_STATUS_SCHEDULED] * 2


async def test_nobody_who_reads_a_page_is_told_who_of_the_team_wrote(desk: StatusPageDesk) -> None:
    world = TwoSides(desk, 0)
    await world.prepare()
    await desk.says(world.both)
    await desk.changes(
        world.work.id, message="We are looking at it.", status=maintenance_pb2.MAINTENANCE_STATUS_IN_PROGRESS
    )
    answer = await world.answer()
    said = [update for one in (*answer.incidents, *answer.maintenances) for update in one.updates]
    assert len(said) > len(answer.incidents) + len(answer.maintenances)
    assert {update.created_by for update in said} == {""}
